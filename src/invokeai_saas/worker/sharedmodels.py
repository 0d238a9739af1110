"""Brings the shared models from the bucket to this machine's disk, before its workers start.

A model that is read over the network at every load costs minutes of a GPU: weights come once, from `models/shared/` to
MODEL_DIR, which is to lie on the instance's own NVMe. Files that are there with their size stay; one that comes is
written beside its place and renamed, so that a start which was cut short leaves no half of one.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from uuid import uuid4

import structlog

from invokeai_saas.errors import SetupError
from invokeai_saas.storage.objects import ObjectStore

log = structlog.get_logger(__name__)

PREFIX = "models/shared/"
_AT_ONCE = 8  # parts, of one file or of several
_PART = 16 * 2**20  # bytes


class Fetched(NamedTuple):
    """Parameters: files: that came; size: bytes of those; present: that were there already."""

    files: int
    size: int
    present: int


def fetch_shared_models(objects: ObjectStore, model_dir: Path) -> Fetched:
    """Makes MODEL_DIR hold what the bucket has below `models/shared/`. Others that do the same wait for each other.

    Raises:
        Unavailable: the store is away.
        SetupError: a key names a file outside the folder.
    """
    model_dir.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with _alone(model_dir / ".fetching"):
        wanted = {key: (_place(model_dir, key), size) for key, size in _listed(objects)}
        missing = {key: at for key, at in wanted.items() if not _is_there(*at)}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="models") as pool:
            for key, (target, size) in missing.items():
                _fetch(pool, objects, key, target, size)
    fetched = Fetched(len(missing), sum(size for _, size in missing.values()), len(wanted) - len(missing))
    log.info("shared_models_fetched", **fetched._asdict(), seconds=round(time.monotonic() - started, 1))
    return fetched


def _listed(objects: ObjectStore) -> Iterator[tuple[str, int]]:
    for key, size in objects.sizes_sync(PREFIX):
        if not key.endswith("/"):  # a folder that a console made
            yield key, size


def _place(model_dir: Path, key: str) -> Path:
    relative = PurePosixPath(key.removeprefix(PREFIX))
    if relative.is_absolute() or ".." in relative.parts:
        raise SetupError(f"{key} names a file outside MODEL_DIR.", "Remove it from the bucket.")
    return model_dir / relative


def _is_there(target: Path, size: int) -> bool:
    return target.is_file() and target.stat().st_size == size


def _fetch(pool: ThreadPoolExecutor, objects: ObjectStore, key: str, target: Path, size: int) -> None:
    """One file, in parts side by side: a single connection to S3 is slower than an instance's disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
    try:
        with draft.open("wb") as out:

            def part(first: int) -> None:
                os.pwrite(out.fileno(), objects.range_sync(key, first, min(size, first + _PART)), first)

            list(pool.map(part, range(0, size, _PART)))
            os.fsync(out.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
