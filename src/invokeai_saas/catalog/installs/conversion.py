"""A worker's part of a conversion: a single-file checkpoint becomes a folder, and its model keeps its key.

The folder is written beside the file under the model's own prefix, with the conversion's number in its keys: a second
try writes the same files again. Only when all of them are stored is the model's row turned to them, and only then the
file is deleted. So whatever ends a worker on the way, the row names files that are whole.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import structlog

from invokeai_saas.catalog.installs.claims import InstallClaims, InstallJob
from invokeai_saas.errors import InvalidInput, NotFound, Unavailable
from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.worker.contract import Engine
from invokeai_saas.worker.modelfiles import ModelFiles

log = structlog.get_logger(__name__)

FULL = "storage_quota_exceeded"
# What its person says of a model, and what they brought it from.
_SAID = (
    "name", "description", "source", "source_type", "source_url", "source_api_response", "trigger_phrases",
    "default_settings",
)  # fmt: skip
_CHUNK = 8 * 2**20


class Converter:
    """Parameters: engine: writes folders; models: where files are fetched to."""

    def __init__(
        self, claims: InstallClaims, engine: Engine, objects: ObjectStore, models: ModelFiles
    ) -> None:
        self._claims, self._engine, self._objects, self._models = claims, engine, objects, models

    def convert(self, job: InstallJob, files: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Does the whole of it, or what another worker left of it. None when the job is another's by now.

        Parameters:
            files: the model's one file, as its row keeps it.

        Raises InvalidInput when the model cannot be converted, NotFound when it is gone, and what fetching raises.
        """
        record = job.config_out or self._turn(job, files)
        if record is None:
            return None
        self._delete(files)
        return record if self._claims.converted(job) else None

    def clean_up(self, job: InstallJob, files: list[dict[str, Any]]) -> None:
        """Removes what a conversion that is given up has left: the folder, or the file if the folder took its place."""
        with suppress(Unavailable, NotFound):
            if job.config_out is not None:
                self._delete(files)
            else:
                self._drop(job)

    def _turn(self, job: InstallJob, files: list[dict[str, Any]]) -> dict[str, Any] | None:
        path, size = self._models.fetch(files), int(files[0]["size"])
        with self._models.workspace(size) as folder:
            target = folder / PurePosixPath(files[0]["path"]).stem
            self._engine.convert(path, job.config_in, target)
            said = {name: job.config_in[name] for name in _SAID if name in job.config_in}
            record = self._engine.identify(
                target, f"{job.prefix}/{target.name}", {"key": job.model_key, **said}
            )
            _require_room(job, sum(file.stat().st_size for file in _files_in(target)) - size)
            made = [self._store(job, target, file) for file in _files_in(target)]
        kept = self._claims.convert(job, record, made)
        if (
            kept is None and self._claims.beat(job, 60.0) == "ok"
        ):  # in our hands still: then it is the model that went
            self._drop(job)
            raise NotFound("This model")
        return kept

    def _store(self, job: InstallJob, folder: Path, file: Path) -> dict[str, Any]:
        """Stores one file; answers it as a model's row keeps it."""
        path = file.relative_to(folder).as_posix()
        key, digest = f"{_made_prefix(job)}/{path}", hashlib.sha256()
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
            size = opened.tell()
            self._objects.put_file_sync(key, opened, "application/octet-stream")
        return {"path": path, "key": key, "size": size, "sha256": digest.hexdigest()}

    def _delete(self, files: list[dict[str, Any]]) -> None:
        """Deletes the file that was converted. Raises Unavailable; anything else must not undo what has been done."""
        try:
            self._objects.delete_sync([str(file["key"]) for file in files])
        except Unavailable:
            raise
        except Exception as error:
            log.error("converted_file_left_behind", exc_info=error)

    def _drop(self, job: InstallJob) -> None:
        found = self._objects.list_sync(f"{_made_prefix(job)}/", None, 1000)
        self._objects.delete_sync([entry.key for entry in found])


def _made_prefix(job: InstallJob) -> str:
    return f"{job.prefix}/converted-{job.id}"


def _files_in(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.rglob("*") if entry.is_file())


def _require_room(job: InstallJob, growth: int) -> None:
    """The file goes when the folder is there, so what counts is by how much it is larger."""
    if job.room is not None and (job.room < 0 or growth > job.room):
        raise InvalidInput(("key",), "Your plan's storage has no room for the converted model.", code=FULL)
