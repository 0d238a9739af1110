"""One install's download: its files come from the source, are looked at, and go to the object store."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psycopg
import structlog

from invokeai_saas.catalog.installs.claims import Beat, InstallClaims, InstallJob
from invokeai_saas.catalog.installs.fetching import Fetcher, SourceAway, SourceRefused
from invokeai_saas.catalog.installs.parts import Part, expected, parts_of, received, stored_keys
from invokeai_saas.catalog.installs.receiving import Receiver
from invokeai_saas.catalog.installs.room import Room
from invokeai_saas.catalog.installs.telling import Teller
from invokeai_saas.errors import InvalidInput, NotInPlan, ServiceError, StorageQuotaExceeded, Unavailable
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.worker.events import EventStream

log = structlog.get_logger(__name__)

LEASE_SECONDS = 60.0
_BEAT_SECONDS = 1.0
_TRIES = 5  # at a source that breaks off
_PAUSE_SECONDS = 1.0  # before the second of them, doubled each time
_Result = TypeVar("_Result")


class _Stopped(Exception):
    """The install is not ours to go on with."""


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
        self._objects, self._closing = objects, closing
        self._tell = Teller(events, job)
        self._fetcher = Fetcher(settings)
        self._folder = settings.data_dir / "installs" / str(job.id)
        self._parts = job.parts
        self._room = Room(claims, job, settings.max_model_bytes, self._folder)
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
        except Unavailable as error:
            self._hand_back(error.message)
        except psycopg.OperationalError as error:
            log.warning("database_away", error=repr(error))
            self._hand_back("The service's database could not be reached.")
        except ServiceError as error:
            self._fail(error.code, error.message)
        except Exception as error:
            log.error("install_failed", exc_info=error)
            self._fail("internal_error", "This could not be installed. Please try again.")
        finally:
            self._end_beat()
            self._claims.close()
            structlog.contextvars.unbind_contextvars("install", "tenant")

    def _run(self) -> None:
        if self._job.given_up:
            raise ServiceError(self._job.error or "", code="given_up")
        if self._job.room is not None and self._job.room < 0:
            raise NotInPlan("custom_models", [], "Your plan does not include models of your own any more.")
        if not self._parts:
            hub = self._settings.model_hub_url
            self._parts = self._insist(lambda: parts_of(self._job, self._fetcher, hub))
        self._require_room()
        self._tell.began(self._parts)
        receiver = Receiver(self._fetcher, self._job.access_token, self._room, self._parts, self._go_on)
        for number, part in enumerate(self._parts):
            if part["status"] != "completed":
                self._fetch(receiver, number, part)
        self._require_room()
        self._end_beat()  # no beat may come after the last word: it would speak of what is not in hand any more
        self._go_on()
        if not self._claims.downloaded(self._job, self._parts, received(self._parts)):
            self._became = self._claims.beat(self._job, LEASE_SECONDS)
            raise _Stopped
        log.info("install_downloaded", bytes=received(self._parts))
        self._tell.install("downloads_complete")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _fetch(self, receiver: Receiver, number: int, part: Part) -> None:
        """One file, from the source to the object store."""
        place = self._folder / f"{number}.part"
        place.parent.mkdir(parents=True, exist_ok=True)
        part["status"] = "running"
        self._tell.file("started", part, download_path=self._tell.path_of(part))
        try:
            self._insist(lambda: receiver.receive(part, place))
            digest = receiver.check(part, place)
        except (InvalidInput, SourceRefused, StorageQuotaExceeded) as error:
            part.update(status="error", error_type=error.code, error=error.message)
            self._tell.file("error", part, error_type=error.code, error=error.message)
            raise
        before, key = part["key"], f"{self._job.prefix}/{part['path']}"
        with place.open("rb") as file:
            self._objects.put_file_sync(key, file, "application/octet-stream")
        part.update(status="completed", key=key, sha256=digest, total_bytes=part["bytes"])
        if before not in (None, key):  # it was downloaded anew, and the source calls it otherwise now
            self._objects.delete_sync([before])
        place.unlink()
        self._tell.file("complete", part, download_path=self._tell.path_of(part), total_bytes=part["bytes"])

    def _require_room(self) -> None:
        self._room.ask(self._parts)
        self._room.require(self._parts)

    def _go_on(self) -> None:
        if self._became != "ok" or self._closing.is_set():
            raise _Stopped
        if time.monotonic() > self._deadline:
            raise SourceRefused("The source is too slow: the download was given up.")

    def _insist(self, action: Callable[[], _Result]) -> _Result:
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

    # ---- the heartbeat

    def _keep(self) -> None:
        """Keeps the lease, leaves the progress, asks for room, and learns of a pause or a cancel."""
        while not self._over.wait(_BEAT_SECONDS):
            try:
                self._became = self._beat()
            except psycopg.OperationalError as error:
                log.warning("install_beat_missed", error=repr(error))
                continue
            if self._became != "ok":
                return
            if self._parts:
                self._tell.progress(self._parts)

    def _beat(self) -> Beat:
        fits = self._room.ask(self._parts)
        # What there is no room for is not written: it would be counted as taken from the person's other installs.
        total = expected(self._parts) if fits else None
        return self._claims.beat(self._job, LEASE_SECONDS, self._parts or None, received(self._parts), total)

    def _end_beat(self) -> None:
        self._over.set()
        self._heart.join(timeout=30)

    # ---- how it ends otherwise

    def _stopped(self) -> None:
        """Paused: what has come stays on this disk. Cancelled: nothing stays. Going ourselves: another goes on."""
        log.info("install_stopped", became=self._became, closing=self._closing.is_set())
        if self._became == "ok":
            self._hand_back(None)
        elif self._became == "cancelled":
            self._clean_up()
        if self._became in ("paused", "cancelled"):
            for part in self._parts:
                if part["status"] == "running":
                    self._tell.file(self._became, part)

    def _hand_back(self, why: str | None) -> None:
        """Another try, later: something of ours is away, or this process goes. The last of them ends the install."""
        self._end_beat()
        log.info("install_handed_back", why=why)
        with suppress(psycopg.OperationalError):  # its lease runs out then
            self._beat()  # what has come is known to whoever goes on
            error = self._claims.hand_back(self._job, why)
            if error is not None:
                self._tell.install("error", error_type="ServiceAway", error=error)

    def _fail(self, error_type: str, error: str) -> None:
        self._end_beat()
        shutil.rmtree(self._folder, ignore_errors=True)
        told = self._job.given_up
        with suppress(psycopg.OperationalError):  # its lease runs out then, and it is tried again
            self._became = self._beat()
            told = self._claims.fail(self._job, error_type, error) or told
        if told:
            log.info("install_refused", code=error_type)
            self._tell.install("error", error_type=error_type, error=error)
        elif self._became == "cancelled":
            self._clean_up()

    def _clean_up(self) -> None:
        with suppress(Unavailable):
            self._objects.delete_sync(stored_keys(self._parts))
        shutil.rmtree(self._folder, ignore_errors=True)
