"""The lease on a job: a thread that prolongs it, and the reasons to stop."""

from __future__ import annotations

import enum
import threading
import time
from contextvars import copy_context
from types import TracebackType
from uuid import UUID

import psycopg
import structlog

from invokeai_saas.queue.claims import Claims
from invokeai_saas.settings import Settings
from invokeai_saas.worker.watchdog import Watchdog

log = structlog.get_logger(__name__)


class StopReason(enum.Enum):
    """Why a running job was asked to stop."""

    CANCEL = "cancel"  # the person wants it stopped
    SPENT = "spent"  # reservation and available credits are used up
    OVERDUE = "overdue"  # it has run for as long as a job may
    LOST = "lost"  # the lease ran out and another attempt may be running
    DRAIN = "drain"  # this worker is going away


class Lease:
    """Keeps one attempt alive while its job runs. `stop` is set when the job shall stop; `reason` says why.

    Parameters:
        claims: a connection of the heartbeat's own.
        attempt: the attempt.
        item_id: its job.
        settings: lengths of lease, heartbeat and the longest job, in seconds.
        watchdog: hears of each beat, and ends this process when none comes.
    """

    def __init__(
        self, claims: Claims, attempt: UUID, item_id: int, settings: Settings, watchdog: Watchdog
    ) -> None:
        self.item_id = item_id
        self.stop = threading.Event()
        self.reason: StopReason | None = None
        self._claims = claims
        self._attempt = attempt
        self._lease = settings.lease_seconds
        self._interval = settings.heartbeat_seconds
        self._wake = threading.Event()
        self._over = threading.Event()
        self._started = time.monotonic()
        self._stop_at: float | None = None
        self._overdue_at: float | None = self._started + settings.job_seconds
        self._watchdog = watchdog
        self._grace = settings.stop_grace_seconds
        self._asked_at: float | None = None
        self._engine_returned = False
        # With the context of who makes it: its lines in the log name the job, too.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._keep,), name="heartbeat", daemon=True
        )

    def __enter__(self) -> Lease:
        self._watchdog.ping()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._wake.set()
        self._thread.join(timeout=10)
        self._watchdog.rest()
        self._claims.close()

    def beat_now(self) -> None:
        """Makes the next heartbeat come at once."""
        self._wake.set()

    def stop_within(self, seconds: float) -> None:
        """Lets the job run on for at most this long; then it is stopped, to be handed back."""
        self._stop_at = time.monotonic() + seconds
        self._wake.set()

    def engine_returned(self) -> None:
        """From here on nothing hangs that the watchdog should end: only uploads and the settlement are left."""
        self._engine_returned = True

    def _tell_watchdog(self) -> None:
        """A sign of life, unless the engine was asked to stop and has not for too long."""
        late = self._asked_at is not None and time.monotonic() - self._asked_at > self._grace
        if self._engine_returned or not late:
            self._watchdog.ping()

    def _keep(self) -> None:
        while not self._over.is_set():
            ends = [moment for moment in (self._stop_at, self._overdue_at) if moment is not None]
            self._wake.wait(min([self._interval, *(max(0.05, moment - time.monotonic()) for moment in ends)]))
            self._wake.clear()
            if self._over.is_set():
                return
            if self._stop_at is not None and time.monotonic() >= self._stop_at:
                self._stop_at = None
                self._ask(StopReason.DRAIN)
            if self._overdue_at is not None and time.monotonic() >= self._overdue_at:
                self._overdue_at = None
                self._ask(StopReason.OVERDUE)
            self._tell_watchdog()
            self._beat()

    def _beat(self) -> None:
        seconds = time.monotonic() - self._started
        try:
            answer = self._claims.heartbeat(self._attempt, self._lease, seconds, 2 * self._interval)
        except psycopg.OperationalError as error:
            # The lease outlives a few missed beats; if it does not, the finish is refused and nothing is charged.
            log.warning("heartbeat_missed", error=repr(error))
            return
        if answer != "ok":
            self._ask(StopReason(answer))

    def _ask(self, reason: StopReason) -> None:
        if self.reason is None:
            self.reason = reason
            self._asked_at = time.monotonic()
            log.info("job_asked_to_stop", reason=reason.value)
        self.stop.set()
