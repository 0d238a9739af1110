"""Models that the object store holds, on this worker's disk: fetched when a job names one, the longest unused go first.

A folder per model and content, named by the keys and hashes of its files: another person's model is another folder,
whatever it holds. Workers of one machine share the folders. A job's models are held by a shared lock on a file
beside each, and only what nobody holds is removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import structlog

from invokeai_saas.errors import NotFound, ServiceError
from invokeai_saas.storage.objects import ObjectStore

log = structlog.get_logger(__name__)

_UNFINISHED_SECONDS = 86_400.0  # after which what a fetch left behind is of a worker that died


class FileChanged(ServiceError):
    """A stored file is not the one that was registered."""

    status = 500
    code = "model_changed"


class ModelFiles:
    """Parameters: root: a folder of the workers of this machine; limit: bytes that models may take in it."""

    def __init__(self, root: Path, objects: ObjectStore, limit: int) -> None:
        self._root, self._objects, self._limit = root, objects, limit
        self._held: dict[str, IO[bytes]] = {}

    def fetch(self, files: Sequence[dict[str, Any]]) -> Path:
        """The model's file or folder on this disk. It stays until `release`.

        Parameters:
            files: path within the model, key, size in bytes and SHA-256 of each.

        Raises:
            NotFound: a file is gone.
            FileChanged: a file is another one than was registered.
            Unavailable: the store is away.
        """
        name = _name_of(files)
        folder = self._root / name
        self._hold(name)
        if not folder.is_dir():
            self._make_room(sum(int(file["size"]) for file in files))
            self._fetch(files, folder)
        os.utime(folder)
        # A model of one file is that file; of several, their folder.
        return folder / files[0]["path"] if len(files) == 1 else folder

    @contextmanager
    def workspace(self, size: int) -> Iterator[Path]:
        """A folder to write a model into, gone afterwards. Parameters: size: bytes that it will take."""
        self._root.mkdir(parents=True, exist_ok=True)
        self._make_room(size)
        folder = self._root / f".{uuid.uuid4().hex}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def release(self) -> None:
        """Lets go of what was fetched for the job that has ended."""
        for lock in self._held.values():
            lock.close()
        self._held.clear()

    def _hold(self, name: str) -> None:
        if name not in self._held:
            self._root.mkdir(parents=True, exist_ok=True)
            lock = (self._root / f"{name}.lock").open("ab")
            fcntl.flock(lock, fcntl.LOCK_SH)
            self._held[name] = lock

    def _fetch(self, files: Sequence[dict[str, Any]], folder: Path) -> None:
        started = time.monotonic()
        unfinished = self._root / f".{uuid.uuid4().hex}"
        try:
            for file in files:
                self._fetch_one(file, unfinished)
            # Whoever was faster has the same files.
            with suppress(OSError):
                unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        log.info("model_fetched", files=len(files), seconds=round(time.monotonic() - started, 1))

    def _fetch_one(self, file: dict[str, Any], folder: Path) -> None:
        target = (folder / file["path"]).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise NotFound("This file of the model")
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("wb") as out:
            for chunk in self._objects.chunks_sync(str(file["key"])):
                digest.update(chunk)
                out.write(chunk)
        if digest.hexdigest() != file["sha256"]:
            raise FileChanged(
                "A file of this model is not the one that was installed. Install the model again."
            )

    def _make_room(self, wanted: int) -> None:
        """Removes the longest unused models that nobody holds, until there is room."""
        folders = [entry for entry in self._root.iterdir() if entry.is_dir()]
        for left in (entry for entry in folders if entry.name.startswith(".")):
            if time.time() - left.stat().st_mtime > _UNFINISHED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        models = sorted((e for e in folders if not e.name.startswith(".")), key=lambda e: e.stat().st_mtime)
        sizes = {model: _size(model) for model in models}
        taken = sum(sizes.values())
        for model in models:
            if taken + wanted <= self._limit:
                return
            if self._remove(model):
                taken -= sizes[model]

    def _remove(self, folder: Path) -> bool:
        if folder.name in self._held:
            return False
        with (self._root / f"{folder.name}.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            shutil.rmtree(folder, ignore_errors=True)
        log.info("model_forgotten", folder=folder.name)
        return True


def _name_of(files: Sequence[dict[str, Any]]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file['key']}\0{file['path']}\0{file['sha256']}\n".encode())
    return digest.hexdigest()[:40]


def _size(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in folder.rglob("*") if entry.is_file())
