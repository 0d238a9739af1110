"""A worker's part of an install: what was downloaded is identified by the engine that would load it.

It happens between jobs. A process that a file kills leaves its lease to run out; after a few times the install is
given up, so that one bad file cannot keep killing workers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import structlog
from redis import Redis

from invokeai_saas.catalog.installs.claims import InstallClaims, InstallJob
from invokeai_saas.catalog.installs.conversion import Converter
from invokeai_saas.catalog.installs.looks import leave_notice
from invokeai_saas.catalog.installs.parts import stored_keys
from invokeai_saas.errors import ServiceError, Unavailable
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.worker.contract import Engine, local_model_path
from invokeai_saas.worker.events import EventStream
from invokeai_saas.worker.modelfiles import ModelFiles

log = structlog.get_logger(__name__)

_LEASE_SECONDS = 90.0
_BEAT_SECONDS = 15.0
_MOST_SECONDS = 3600.0  # that a lease is prolonged: what takes longer hangs, and another may try


class Identifier:
    """Parameters: engine: says what a model is; models: where it is fetched to; redis: for notices to who waits."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        objects: ObjectStore,
        events: EventStream,
        models: ModelFiles,
        redis: Redis,
    ) -> None:
        self._claims = InstallClaims(settings.database_worker_url.get_secret_value())
        self._model_dir = settings.model_dir
        self._engine, self._objects, self._events, self._models = engine, objects, events, models
        self._redis = redis
        self._converter = Converter(self._claims, engine, objects, models)

    def close(self) -> None:
        self._claims.close()

    def work_once(self) -> bool:
        """Identifies one model; false when none waits."""
        try:
            job = self._claims.claim("identify", _LEASE_SECONDS)
        except psycopg.OperationalError:
            self._claims.close()
            raise
        if job is None:
            return False
        structlog.contextvars.bind_contextvars(install=job.id, tenant=str(job.user_id))
        try:
            with self._kept(job):
                self._work_on(job)
        except (Unavailable, psycopg.OperationalError) as error:
            self._hand_back(job, error)
            raise
        except Exception as error:  # whatever an install brings about ends that install, and never the worker
            log.error("identification_failed", exc_info=error)
            self._end(job, type(error).__name__, "This could not be identified. Is it a model for InvokeAI?")
        finally:
            self._models.release()
            if job.kind != "install":
                leave_notice(self._redis, job.id)
            structlog.contextvars.unbind_contextvars("install", "tenant")
        return True

    @contextmanager
    def _kept(self, job: InstallJob) -> Iterator[None]:
        """Prolongs the lease meanwhile: a large model takes its time, and nobody else is to begin with it."""
        over = threading.Event()

        def beat() -> None:
            until = time.monotonic() + _MOST_SECONDS
            while not over.wait(_BEAT_SECONDS) and time.monotonic() < until:
                try:
                    if self._claims.beat(job, _LEASE_SECONDS) != "ok":
                        return
                except psycopg.OperationalError as error:
                    log.warning("install_beat_missed", error=repr(error))

        heart = threading.Thread(target=beat, name="identify-beat", daemon=True)
        heart.start()
        try:
            yield
        finally:
            over.set()
            heart.join(timeout=30)

    def _hand_back(self, job: InstallJob, error: Unavailable | psycopg.OperationalError) -> None:
        """Another try, later; after the last of them it has failed, and what was downloaded is kept for another."""
        why = "The service's database could not be reached."
        if isinstance(error, Unavailable):
            why = error.message
        with suppress(psycopg.OperationalError):
            ended = self._claims.hand_back(job, why)
            if ended is not None:
                self._tell(job, "model_install_error", error_type="ServiceAway", error=ended)

    def _work_on(self, job: InstallJob) -> None:
        if job.given_up:
            self._end(job, "given_up", job.error or "")
            return
        self._tell(job, "model_install_started")
        files = [file_of(part) for part in job.parts]
        try:
            if job.kind == "convert":
                self._convert(job, files)
                return
            record = self._identify(job, files)
        except Unavailable:
            raise
        except ServiceError as error:
            self._end(job, error.code, error.message)
            return
        kept = self._claims.finish(job, record, files)
        if kept is None:
            # Cancelled, and then its files went with that; or another worker has the job since, and they are its own.
            log.info("identified_for_nobody")
            return
        log.info("model_identified", type=record["type"], base=record["base"])
        size = sum(file["size"] for file in files)
        self._tell(job, "model_install_complete", key=kept["key"], total_bytes=size, config=kept)

    def _convert(self, job: InstallJob, files: list[dict[str, Any]]) -> None:
        kept = self._converter.convert(job, files)
        if kept is not None:
            log.info("model_converted", base=kept["base"])
            self._tell(
                job, "model_install_complete", key=kept["key"], total_bytes=kept["file_size"], config=kept
            )

    def _identify(self, job: InstallJob, files: list[dict[str, Any]]) -> dict[str, Any]:
        """The record. Raises InvalidInput, and what fetching raises."""
        said = {"key": job.model_key, **job.config_in}
        if files:
            path, logical = self._models.fetch(files), job.prefix
            if len(files) == 1:
                logical = f"{job.prefix}/{files[0]['path']}"
            if job.kind == "install":
                said.setdefault("name", _name(job, path))
        else:
            logical = str(job.source["path"])
            path = local_model_path(self._model_dir, logical)
        return self._engine.identify(path, logical, said)

    def _end(self, job: InstallJob, error_type: str, error: str) -> None:
        """Failed for good. What it brought goes; a model that was looked at again stays as it was."""
        if not self._claims.fail(job, error_type, error) and not job.given_up:
            return  # it is another worker's by now, and so are its files
        self._drop(job)
        self._tell(job, "model_install_error", error_type=error_type, error=error)
        log.info("identification_refused", code=error_type)

    def _drop(self, job: InstallJob) -> None:
        if job.kind == "convert":
            self._converter.clean_up(job, [file_of(part) for part in job.parts])
        elif job.kind == "install":
            with suppress(Unavailable):
                self._objects.delete_sync(stored_keys(job.parts))

    def _tell(self, job: InstallJob, event: str, **facts: Any) -> None:
        # A second look is answered to who asked for it. A conversion may outlast that, and the page shows it then.
        if job.kind == "install" or (job.kind == "convert" and event == "model_install_complete"):
            self._events.emit(str(job.user_id), event, job.event(**facts))


def file_of(part: dict[str, Any]) -> dict[str, Any]:
    """A downloaded part as a model's row keeps it."""
    return {"path": part["path"], "key": part["key"], "size": part["bytes"], "sha256": part["sha256"]}


def _name(job: InstallJob, path: Path) -> str:
    """A file's own name; of a folder, the repository's."""
    if path.is_file():
        return path.stem
    repo = str(job.source.get("repo_id", "model")).rpartition("/")[2]
    folder = str(job.source.get("subfolder") or "").rpartition("/")[2]
    return f"{repo} {folder}".strip()
