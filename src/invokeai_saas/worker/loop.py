"""The worker process: claims a job, runs it, settles it, and looks for the next one.

Synchronous on purpose: one process has one GPU and runs one job at a time. Beside the engine's thread there are
three small ones: a heartbeat that keeps the lease, a listener for cancellations, and the events' sender.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import structlog
from redis import Redis
from redis.exceptions import RedisError

from invokeai_saas.catalog.installs.identify import Identifier
from invokeai_saas.errors import ServiceError, Unavailable
from invokeai_saas.observability.jobs import JobWatch
from invokeai_saas.observability.tracing import JobTrace, JobTraces
from invokeai_saas.queue.batches import apply_values
from invokeai_saas.queue.bells import open_worker_bell
from invokeai_saas.queue.claims import Claim, Claims
from invokeai_saas.queue.doorbell import CANCEL_CHANNEL, ring_again
from invokeai_saas.queue.events import CANCELED, canceled
from invokeai_saas.settings import Settings
from invokeai_saas.storage.media import MediaSigner
from invokeai_saas.storage.objects import open_object_store
from invokeai_saas.worker.context import DatabaseJobContext
from invokeai_saas.worker.contract import ClaimedJob, Engine, Outcome
from invokeai_saas.worker.events import EventStream
from invokeai_saas.worker.lease import Lease, StopReason
from invokeai_saas.worker.modelfiles import ModelFiles
from invokeai_saas.worker.watchdog import Watchdog

log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")

_POLL_SECONDS = 2.0  # a backstop: rings may be lost
_AFFINITY_CREDITS = 30.0
_BACK_OFF_SECONDS = 2.0  # after a backing service was found away
_INSTALL_PATIENCE_SECONDS = 20.0
# What is said of a job that neither its person nor the service's own needs have stopped.
_STOPPED = {
    StopReason.SPENT: (
        "InsufficientCredits",
        "Your credits ran out while this was running. Add credits to go on.",
    ),
    StopReason.OVERDUE: (
        "JobTooLong",
        "This took longer than a job may. What was finished is kept. Please try something smaller.",
    ),
}
_UPLOADS = 2  # threads; a picture's encoding takes a core for some tens of milliseconds


def worker_name() -> str:
    """Unique per process start, and tells an operator where to look."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid4().hex[:8]}"


class Worker:
    """One GPU's worker.

    Parameters:
        settings: the process's settings.
        engine: runs the jobs.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.name = worker_name()
        self._settings = settings
        self._engine = engine
        self._tiers = [tier.strip() for tier in settings.worker_tiers.split(",") if tier.strip()]
        url = settings.database_worker_url.get_secret_value()
        self._claims = Claims(url)
        redis_url = settings.redis_url.get_secret_value()
        self._redis = Redis.from_url(redis_url, socket_connect_timeout=5)
        self._bell = open_worker_bell(settings, self._redis, may_send=False)
        self._events = EventStream(redis_url)
        self._objects = open_object_store(settings)
        self._media = MediaSigner(settings.media_signing_key.get_secret_value(), settings.media_url_seconds)
        self._model_files = ModelFiles(
            settings.data_dir / "worker" / "models", self._objects, settings.model_cache_bytes
        )
        self._installs = Identifier(
            settings, engine, self._objects, self._events, self._model_files, self._redis
        )
        self._look_at_installs = 0.0  # moment of the monotonic clock
        self._pool = ThreadPoolExecutor(_UPLOADS, thread_name_prefix="upload")
        self._draining = threading.Event()
        self._lease: Lease | None = None
        self._tier = ""  # of the job in hand
        self._watch = JobWatch(settings)
        self._trace = JobTrace()  # of the job in hand
        self._traces = JobTraces(settings)
        self._watchdog = Watchdog(settings.hang_seconds)
        self._listener = threading.Thread(target=self._listen_for_cancels, name="cancels", daemon=True)

    def drain(self) -> None:
        """Takes no new job; the running one finishes, or is handed back when the notice runs out."""
        self._draining.set()
        lease = self._lease
        if lease is not None:
            lease.stop_within(self._settings.drain_seconds)
        log.info("draining", worker=self.name)

    def run(self) -> None:
        """Works until drained; the signals TERM and INT drain."""
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: self.drain())
        self._watchdog.start()
        self.run_until_drained()

    def run_until_drained(self) -> None:
        """The same without signal handlers, which only a main thread may set, and without the watchdog."""
        self._engine.warm_up()
        self._listener.start()
        self._sign_of_life()
        log.info("worker_ready", worker=self.name, engine=self._engine.name, tiers=self._tiers)
        if self._settings.worker_ready_file is not None:
            self._settings.worker_ready_file.write_text(self.name)
        while not self._draining.is_set():
            try:
                worked = self.work_once()
                # An install waits for a moment without a job, but not for ever.
                if not worked or time.monotonic() > self._look_at_installs:
                    self._look_at_installs = time.monotonic() + _INSTALL_PATIENCE_SECONDS
                    worked = self._installs.work_once() or worked
                if not worked:
                    self._wait()
            except (psycopg.OperationalError, RedisError, Unavailable) as error:
                log.warning("backing_service_away", error=repr(error))
                self._draining.wait(_BACK_OFF_SECONDS)
        self._close()

    def work_once(self) -> bool:
        """Claims and runs one job; false when there is none to claim."""
        for tier in self._tiers:
            claim = self._claims.claim(
                tier,
                self.name,
                self._engine.loaded_models(),
                self._settings.lease_seconds,
                _AFFINITY_CREDITS,
                # What this worker has not ended by then, uploads and all, is ended from outside and keeps nothing.
                self._settings.job_seconds + self._settings.stop_grace_seconds + self._settings.hang_seconds,
            )
            if claim is not None:
                self._bell.claimed(tier)
                self._tier = tier
                if claim.attempt_number == 1:
                    self._watch.claimed(tier, (datetime.now(UTC) - claim.created_at).total_seconds())
                self._trace = self._traces.begin(claim, tier)
                try:
                    self._work_on(claim)
                finally:
                    self._trace.close()
                return True
        return False

    def _sign_of_life(self) -> None:
        self._claims.seen(self.name, self._tiers, self._engine.name, self._engine.loaded_models())

    def _wait(self) -> None:
        self._sign_of_life()
        try:
            self._bell.wait(self._tiers, _POLL_SECONDS)
        except (RedisError, Unavailable):  # slower without the bell, never stopped
            self._draining.wait(_POLL_SECONDS)

    def _work_on(self, claim: Claim) -> None:
        structlog.contextvars.bind_contextvars(
            job=claim.item_id, attempt=claim.attempt_number, tenant=str(claim.user_id)
        )
        context = DatabaseJobContext(
            claim,
            self._claims,
            self._objects,
            self._media,
            self._events,
            self._pool,
            self._settings.model_dir,
            self._model_files,
            self._trace,
        )
        self._lease = lease = Lease(
            self._claims.sibling(), claim.attempt_id, claim.item_id, self._settings, self._watchdog
        )
        if self._draining.is_set():  # the signal came while the job was being claimed
            lease.stop_within(self._settings.drain_seconds)
        try:
            self._announce(claim)
            with lease:
                context.models().fetch_named(claim.graph)  # before the meter runs
                outcome, seconds = self._run_engine(claim, context, lease)
                self._settle(claim, context, lease, outcome, seconds)
        except Unavailable as error:
            log.warning("attempt_abandoned", error=repr(error))
            self._hand_back(claim, away=True)
            self._draining.wait(_BACK_OFF_SECONDS)
        except (psycopg.OperationalError, RedisError):
            raise  # the loop waits until they are back; the lease takes care of the job
        except Exception as error:
            # Whatever a job brings about ends that job, unpaid, and never the worker.
            log.error("attempt_failed", exc_info=error)
            self._fail(claim, context)
        finally:
            self._lease = None
            context.close()
            self._model_files.release()
            structlog.contextvars.unbind_contextvars("job", "attempt", "tenant")

    def _run_engine(self, claim: Claim, context: DatabaseJobContext, lease: Lease) -> tuple[Outcome, float]:
        """Runs the engine. The metered seconds are the engine's, uploads excluded."""
        started = time.monotonic()
        try:
            outcome = self._engine.run(_claimed_job(claim), context, lease.stop)
        except Unavailable:
            raise
        except ServiceError as error:
            outcome = Outcome("failed", "{}", error.code, error.message, "")
        except Exception as error:
            # An engine's own mistake fails this job, unpaid; the worker lives on.
            log.error("engine_failed", exc_info=error)
            message = "The engine failed on this. Please try again."
            outcome = Outcome("failed", "{}", type(error).__name__, message, "")
        finally:
            lease.engine_returned()
        return outcome, time.monotonic() - started

    def _settle(
        self, claim: Claim, context: DatabaseJobContext, lease: Lease, outcome: Outcome, seconds: float
    ) -> None:
        if lease.reason is StopReason.DRAIN and outcome.status == "canceled":
            self._hand_back(claim)
            return
        error = (outcome.error_type, outcome.error_message, outcome.error_traceback)
        if outcome.status == "canceled" and lease.reason in _STOPPED:
            error = (*_STOPPED[lease.reason], None)
        session: dict[str, Any] = json.loads(outcome.session or "{}")
        images = context.stored_images()
        finished = self._insist(
            lambda: self._claims.finish(claim.attempt_id, outcome.status, seconds, session, images, error)
        )
        if not finished.accepted:
            log.warning("attempt_superseded", seconds=round(seconds, 2))
            return
        log.info("job_ended", status=outcome.status, seconds=round(seconds, 2), charged=finished.charged)
        made = 0 if outcome.status == "failed" else sum(not image["is_intermediate"] for image in images)
        self._trace.ended(outcome.status)
        self._watch.ended(self._tier, outcome.status, seconds, made, finished.charged)
        if outcome.status == "failed":
            context.drop_files()
        else:
            context.release_events()
        self._announce(claim)
        self._events.emit(str(claim.user_id), "credits_changed", {})

    def _fail(self, claim: Claim, context: DatabaseJobContext) -> None:
        message = "This could not be finished. Nothing was charged; please try again."
        error = ("InternalError", message, None)
        try:
            finished = self._insist(
                lambda: self._claims.finish(claim.attempt_id, "failed", 0, None, (), error)
            )
        except Exception as failure:
            log.error("attempt_left_to_its_lease", exc_info=failure)
            return
        if finished.accepted:
            context.drop_files()
            self._announce(claim)
            self._events.emit(str(claim.user_id), "credits_changed", {})

    def _hand_back(self, claim: Claim, *, away: bool = False) -> None:
        handed = self._insist(lambda: self._claims.hand_back(claim.attempt_id, away=away))
        if handed is not None:
            status, tier = handed
            self._announce(claim)
            log.info("handed_back", status=status)
            if status == "pending" and not away:
                self._bell.ring(tier, ring_again(claim.user_id, claim.item_id))

    def _announce(self, claim: Claim) -> None:
        event = self._claims.status_event(claim.item_id)
        if event is not None:
            self._events.emit(str(claim.user_id), "queue_item_status_changed", event)
            if event["status"] == "canceled":
                # After `queue_cleared` InvokeAI's page takes its jobs for over and passes by the line above, whose
                # counts it would need: it has read them while the job still ran. This one makes it read again.
                self._events.emit(str(claim.user_id), CANCELED, canceled(claim.user_id, [claim.item_id]))

    def _insist(self, action: Callable[[], _Result]) -> _Result:
        """Tries for the length of a lease: after that the job is another worker's anyway."""
        deadline = time.monotonic() + self._settings.lease_seconds
        while True:
            try:
                return action()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _listen_for_cancels(self) -> None:
        while not self._draining.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
                    channel.subscribe(CANCEL_CHANNEL)
                    while not self._draining.is_set():
                        message = channel.get_message(timeout=1.0)
                        lease = self._lease
                        # Whose job it is is checked in the database, by the next heartbeat, which this hastens.
                        if message and lease is not None and message["data"] == str(lease.item_id).encode():
                            lease.beat_now()
            except RedisError:
                self._draining.wait(_BACK_OFF_SECONDS)

    def _close(self) -> None:
        self._listener.join(timeout=5)
        self._pool.shutdown(wait=True)
        self._events.close()
        self._installs.close()
        self._claims.close()
        self._bell.close()
        self._redis.close()
        self._watchdog.close()
        self._watch.close()
        self._traces.close()
        log.info("worker_stopped", worker=self.name)


def _claimed_job(claim: Claim) -> ClaimedJob:
    return ClaimedJob(
        item_id=claim.item_id,
        user_id=str(claim.user_id),
        attempt_id=str(claim.attempt_id),
        attempt_number=claim.attempt_number,
        queue_id="default",
        batch_id=str(claim.batch_id),
        session_id=str(claim.session_id),
        origin=claim.origin,
        destination=claim.destination,
        graph=apply_values(claim.graph, claim.field_values),
        workflow=claim.workflow,
        name_key=bytes(claim.name_key),
        created_at=claim.created_at,
    )
