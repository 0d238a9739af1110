"""The scheduler's part of an install: files come from the source, are looked at, and go to the object store.

A file is written to this machine's disk first, so that a download that was paused or broke off goes on where it was,
and so that nothing of a bad file is kept. Memory holds one piece of it at a time.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import psycopg
import structlog

from invokeai_saas.catalog.installs.checks import WEIGHTS, FileCheck
from invokeai_saas.catalog.installs.claims import Beat, InstallClaims, InstallJob
from invokeai_saas.catalog.installs.fetching import Answer, Fetcher, SourceAway, SourceRefused
from invokeai_saas.catalog.installs.hub import Hub, choose
from invokeai_saas.catalog.installs.sources import file_name
from invokeai_saas.errors import InvalidInput, NotInPlan, ServiceError, StorageQuotaExceeded, Unavailable
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.worker.events import EventStream

log = structlog.get_logger(__name__)

_LEASE_SECONDS = 60.0
_BEAT_SECONDS = 1.0
_TRIES = 5  # at a source that breaks off
_PAUSE_SECONDS = 1.0  # before the second of them, doubled each time
_FORGOTTEN_SECONDS = 7 * 86_400.0  # after which what a paused download left on this disk goes


class _Stopped(Exception):
    """The install is not ours to go on with."""


class Downloads:
    """Downloads what waits, so many at a time.

    Parameters:
        settings: limits, the allow-list, and DATA_DIR, below which unfinished files lie.
    """

    def __init__(self, settings: Settings, objects: ObjectStore, events: EventStream) -> None:
        self._settings = settings
        self._claims = InstallClaims(settings.database_worker_url.get_secret_value())
        self._objects = objects
        self._events = events
        self._folder = settings.data_dir / "installs"
        self._slots = threading.BoundedSemaphore(settings.model_downloads)
        self._pool = ThreadPoolExecutor(settings.model_downloads, thread_name_prefix="install")
        self._closing = threading.Event()

    def look(self) -> None:
        """Takes on what waits, as far as there is room."""
        while not self._closing.is_set() and self._slots.acquire(blocking=False):
            try:
                job = self._claims.claim("download", _LEASE_SECONDS)
            except BaseException:
                self._slots.release()
                raise
            if job is None:
                self._slots.release()
                return
            self._pool.submit(self._work_on, job)

    def _work_on(self, job: InstallJob) -> None:
        try:
            Download(
                self._settings, job, self._claims.sibling(), self._objects, self._events, self._closing
            ).run()
        except Exception as error:
            log.error("install_left_to_its_lease", install=job.id, exc_info=error)
        finally:
            self._slots.release()

    def tidy(self) -> None:
        """Removes what downloads that were never resumed left on this disk."""
        if not self._folder.exists():
            return
        for left in self._folder.iterdir():
            if time.time() - left.stat().st_mtime > _FORGOTTEN_SECONDS:
                shutil.rmtree(left, ignore_errors=True)

    def close(self) -> None:
        """Hands back what runs."""
        self._closing.set()
        self._pool.shutdown(wait=True)
        self._claims.close()


class Download:
    """One install's download.

    Parameters:
        claims: a connection of its own, closed at the end.
        closing: set when this process is going.
    """

    def __init__(
        self,
        settings: Settings,
        job: InstallJob,
        claims: InstallClaims,
        objects: ObjectStore,
        events: EventStream,
        closing: threading.Event,
    ) -> None:
        self._settings, self._job, self._claims = settings, job, claims
        self._objects, self._events, self._closing = objects, events, closing
        self._fetcher = Fetcher(settings)
        self._folder = settings.data_dir / "installs" / str(job.id)
        self._parts = job.parts
        self._limit = (
            settings.max_model_bytes if job.room is None else min(settings.max_model_bytes, job.room)
        )
        self._deadline = time.monotonic() + settings.model_download_seconds
        self._became: Beat = "ok"
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._keep, name="install-beat", daemon=True)

    def run(self) -> None:
        """Downloads, or says why not. Whatever happens ends this install, or leaves it to its lease."""
        structlog.contextvars.bind_contextvars(install=self._job.id, tenant=str(self._job.user_id))
        self._heart.start()
        try:
            self._run()
        except _Stopped:
            self._stopped()
        except (Unavailable, psycopg.OperationalError) as error:
            log.warning("install_handed_back", error=repr(error))
            with suppress(psycopg.OperationalError):
                self._claims.hand_back(self._job)
        except ServiceError as error:
            self._fail(error.code, error.message)
        except Exception as error:
            log.error("install_failed", exc_info=error)
            self._fail("internal_error", "This could not be installed. Please try again.")
        finally:
            self._over.set()
            self._heart.join(timeout=30)
            self._claims.close()
            structlog.contextvars.unbind_contextvars("install", "tenant")

    def _run(self) -> None:
        if self._job.given_up:
            raise ServiceError("This could not be finished after several tries.", code="given_up")
        if self._job.room is not None and self._job.room < 0:
            raise NotInPlan("custom_models", [], "Your plan does not include models of your own any more.")
        if not self._parts:
            self._parts = self._insist(self._make_parts)
        self._check_room()
        self._tell("model_install_download_started", **self._progress())
        for number, part in enumerate(self._parts):
            if part["status"] != "completed":
                self._fetch(number, part)
        self._halt_beat()
        if not self._claims.downloaded(self._job, self._parts, self._bytes):
            self._became = self._claims.beat(self._job, _LEASE_SECONDS)
            raise _Stopped
        log.info("install_downloaded", bytes=self._bytes)
        self._tell("model_install_downloads_complete")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make_parts(self) -> list[dict[str, Any]]:
        """What there is to download."""
        source = self._job.source
        if source["type"] == "url":
            return [_part(source["url"], "", 0, None)]
        hub = Hub(self._fetcher, self._settings.model_hub_url)
        files = hub.files(source["repo_id"], self._job.access_token)
        chosen = choose(files, source["variant"], source["subfolder"])
        if len(chosen) == 1:  # a single file is a model by itself, wherever in the repository it lies
            only = chosen[0]
            return [_part(only.url, PurePosixPath(only.path).name, only.size, only.sha256)]
        root = _common_folder([file.path for file in chosen]) if source["subfolder"] else ""
        return [_part(file.url, file.path.removeprefix(root), file.size, file.sha256) for file in chosen]

    # ---- one file

    def _fetch(self, number: int, part: dict[str, Any]) -> None:
        place = self._folder / f"{number}.part"
        place.parent.mkdir(parents=True, exist_ok=True)
        part["status"] = "running"
        self._tell("download_started", source=part["url"], download_path=self._path_of(part), bare=True)
        try:
            self._insist(lambda: self._receive(part, place))
            digest = self._check(part, place)
        except (InvalidInput, SourceRefused, StorageQuotaExceeded) as error:
            part.update(status="error", error_type=error.code, error=error.message)
            said = {"source": part["url"], "error_type": error.code, "error": error.message}
            self._tell("download_error", **said, bare=True)
            raise
        key = f"{self._job.prefix}/{part['path']}"
        with place.open("rb") as file:
            self._objects.put_file_sync(key, file, "application/octet-stream")
        part.update(status="completed", key=key, sha256=digest, total_bytes=part["bytes"])
        place.unlink()
        done = {"source": part["url"], "download_path": self._path_of(part), "total_bytes": part["bytes"]}
        self._tell("download_complete", **done, bare=True)

    def _receive(self, part: dict[str, Any], place: Path) -> None:
        """The file to this disk, from where it was left on. Raises SourceAway when it breaks off again."""
        have = place.stat().st_size if place.exists() else 0
        headers = {}
        if have and part.get("etag"):
            headers = {"Range": f"bytes={have}-", "If-Range": part["etag"]}
        with self._fetcher.open(part["url"], token=self._job.access_token, headers=headers) as answer:
            if answer.status == 416:  # what is here is not what is there
                place.unlink(missing_ok=True)
                raise SourceAway("The download has to begin again.")
            if answer.status != 206 or _range_start(answer) != have:
                have = 0
            self._note(part, answer, have)
            part["bytes"] = have
            with place.open("r+b" if have else "wb") as out:
                out.seek(have)
                out.truncate()
                self._copy(part, answer, out)
        if part["total_bytes"] and part["bytes"] != part["total_bytes"]:
            raise SourceAway("The download ended before the file did.")

    def _note(self, part: dict[str, Any], answer: Answer, have: int) -> None:
        """What the answer's head says: name, length, version."""
        etag = answer.headers.get("etag", "")
        part["etag"] = etag if etag.startswith('"') else None  # a weak one does not promise the same bytes
        if "text/html" in answer.headers.get("content-type", ""):
            raise SourceRefused("The source answers with a web page. It may want an access token.")
        if not part["path"]:
            part["path"] = file_name(part["url"], answer.headers.get("content-disposition"))
        if len(self._parts) == 1 and not part["path"].lower().endswith(WEIGHTS):
            raise SourceRefused(
                f"{part['path']} is no safetensors file. Only those are taken: they hold no code."
            )
        FileCheck(part["path"])
        declared = answer.headers.get("content-length", "")
        if declared.isdigit():
            total = have + int(declared)
            if part["expected"] and total != part["expected"]:
                raise SourceRefused("The source's file is not as long as the model hub says.")
            part["total_bytes"] = total
        self._check_room()

    def _copy(self, part: dict[str, Any], answer: Answer, out: Any) -> None:
        """Bytes to the disk. The head of what comes first is looked at as it comes, so that rubbish ends early."""
        check = FileCheck(part["path"]) if part["bytes"] == 0 else None
        for chunk in answer.chunks():
            self._go_on()
            part["bytes"] += len(chunk)
            if self._bytes > self._limit or (part["total_bytes"] and part["bytes"] > part["total_bytes"]):
                self._too_long(self._bytes)
            if check is not None:
                check.feed(chunk)
            out.write(chunk)

    def _check(self, part: dict[str, Any], place: Path) -> str:
        """The whole file once more, from this disk: its form, and its SHA-256."""
        check, digest = FileCheck(part["path"]), hashlib.sha256()
        for chunk in _chunks(place):
            self._go_on()
            check.feed(chunk)
            digest.update(chunk)
        check.finish()
        if part["sha256"] and digest.hexdigest() != part["sha256"]:
            raise SourceRefused(f"{part['path']} is not the file that the model hub lists: its hash differs.")
        return digest.hexdigest()

    # ---- limits

    @property
    def _bytes(self) -> int:
        return sum(part["bytes"] for part in self._parts)

    @property
    def _total(self) -> int:
        return sum(max(part["bytes"], part["total_bytes"]) for part in self._parts)

    def _check_room(self) -> None:
        if self._total > self._limit:
            self._too_long(self._total)

    def _too_long(self, size: int) -> None:
        if self._limit < self._settings.max_model_bytes:
            raise StorageQuotaExceeded(
                size,
                self._limit,
                f"The model has {size:,} bytes or more, and your plan's storage has {self._limit:,} left."
                " Delete pictures or models, or choose a plan with more storage.",
            )
        raise SourceRefused(f"A model may have {self._settings.max_model_bytes:,} bytes; this one has more.")

    def _go_on(self) -> None:
        if self._became != "ok" or self._closing.is_set():
            raise _Stopped
        if time.monotonic() > self._deadline:
            raise SourceRefused("The source is too slow: the download was given up.")

    def _insist(self, action: Any) -> Any:
        """Tries again at a source that is away for a moment."""
        for number in range(_TRIES):
            self._go_on()
            try:
                return action()
            except SourceAway:
                if number == _TRIES - 1:
                    raise
                self._closing.wait(_PAUSE_SECONDS * 2**number)
        raise AssertionError

    # ---- what others hear

    def _keep(self) -> None:
        """The heartbeat: keeps the lease, leaves the progress, and learns of a pause or a cancel."""
        while not self._over.wait(_BEAT_SECONDS):
            try:
                self._became = self._claims.beat(
                    self._job, _LEASE_SECONDS, self._parts or None, self._bytes, self._total
                )
            except psycopg.OperationalError as error:
                log.warning("install_beat_missed", error=repr(error))
                continue
            if self._became != "ok":
                return
            if self._parts:
                self._tell("model_install_download_progress", **self._progress())
                for part in self._parts:
                    if part["status"] == "running":
                        said = {
                            "current_bytes": part["bytes"],
                            "total_bytes": max(part["total_bytes"], part["bytes"]),
                        }
                        path = self._path_of(part)
                        self._tell(
                            "download_progress", source=part["url"], download_path=path, **said, bare=True
                        )

    def _halt_beat(self) -> None:
        """No beat may come after the last word: it would speak of an install that is not in hand any more."""
        self._over.set()
        self._heart.join(timeout=30)
        self._go_on()

    def _path_of(self, part: dict[str, Any]) -> str:
        return f"{self._job.prefix}/{part['path']}".rstrip("/")

    def _progress(self) -> dict[str, Any]:
        parts = [
            {
                "url": part["url"],
                "local_path": self._path_of(part),
                "bytes": part["bytes"],
                "total_bytes": max(part["total_bytes"], part["bytes"]),
            }
            for part in self._parts
        ]
        return {
            "local_path": self._job.prefix,
            "bytes": self._bytes,
            "total_bytes": self._total,
            "parts": parts,
        }

    def _tell(self, event: str, *, bare: bool = False, **facts: Any) -> None:
        """To the person who installs, and nobody else. Parameters: bare: without what events of installs say."""
        self._events.emit(str(self._job.user_id), event, facts if bare else self._job.event(**facts))

    def _stopped(self) -> None:
        """Paused: what has come stays on this disk. Cancelled: nothing stays. Going ourselves: another goes on."""
        log.info("install_stopped", became=self._became, closing=self._closing.is_set())
        if self._became == "ok":
            with suppress(psycopg.OperationalError):
                self._claims.hand_back(self._job)
        elif self._became == "cancelled":
            self._clean_up()
        running = [part["url"] for part in self._parts if part["status"] == "running"]
        for url in running if self._became in ("paused", "cancelled") else []:
            self._tell(f"download_{self._became}", source=url, bare=True)

    def _fail(self, error_type: str, error: str) -> None:
        self._over.set()
        self._heart.join(timeout=30)
        shutil.rmtree(self._folder, ignore_errors=True)
        told = self._job.given_up
        with suppress(psycopg.OperationalError):  # its lease runs out then, and it is tried again
            self._claims.beat(self._job, _LEASE_SECONDS, self._parts or None, self._bytes, self._total)
            told = self._claims.fail(self._job, error_type, error) or told
        if told:
            log.info("install_refused", code=error_type)
            self._tell("model_install_error", error_type=error_type, error=error)
        elif self._became == "cancelled":
            self._clean_up()

    def _clean_up(self) -> None:
        keys = [part["key"] for part in self._parts if part.get("key")]
        with suppress(Unavailable):
            self._objects.delete_sync(keys)
        shutil.rmtree(self._folder, ignore_errors=True)


def _part(url: str, path: str, size: int, sha256: str | None) -> dict[str, Any]:
    return {
        "url": url,
        "path": path,
        "bytes": 0,
        "total_bytes": size,
        "expected": size,
        "sha256": sha256,
        "status": "waiting",
        "key": None,
        "etag": None,
        "error_type": None,
        "error": None,
    }


def _common_folder(paths: list[str]) -> str:
    """The folder that all paths lie in, with a slash at its end; empty for the root."""
    parents = [PurePosixPath(path).parts[:-1] for path in paths]
    common = []
    for level in zip(*parents, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return "".join(f"{part}/" for part in common)


def _range_start(answer: Answer) -> int:
    """The first byte that a 206 brings; -1 when it does not say."""
    unit, _, rest = answer.headers.get("content-range", "").partition(" ")
    start = rest.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else -1


def _chunks(place: Path) -> Iterator[bytes]:
    with place.open("rb") as file:
        while data := file.read(2**20):
            yield data
