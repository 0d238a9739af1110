"""Periodic work, each piece a function of its domain. One scheduler suffices; two do no harm."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
import structlog
from redis import Redis
from redis.exceptions import RedisError

from invokeai_saas.billing.stripe.inbox import StripeInbox
from invokeai_saas.catalog.installs.downloads import Downloads
from invokeai_saas.catalog.missing import MissingModels
from invokeai_saas.edge.purging import EdgePurger
from invokeai_saas.errors import Unavailable
from invokeai_saas.gallery.upkeep import GalleryUpkeep
from invokeai_saas.mail.reminders import Reminders
from invokeai_saas.mail.sending import Mailer
from invokeai_saas.observability.watching import Watch
from invokeai_saas.privacy.keeper import PrivacyKeeper
from invokeai_saas.queue.bells import open_worker_bell
from invokeai_saas.queue.claims import Claims
from invokeai_saas.queue.doorbell import Ring, ring_again
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import open_object_store
from invokeai_saas.worker.events import EventStream

_LEARN_DAYS = 30
_LEARN_RECORDS = 100_000
log = structlog.get_logger(__name__)


@dataclass
class Task:
    """Something done every `interval` seconds."""

    name: str
    interval: float
    action: Callable[[], None]
    due: float = field(default=0.0)


class Scheduler:
    """Reaps silent workers' jobs, rings for waiting ones again, expires credits, learns how long jobs take, keeps the
    gallery's files in order, downloads models, sends mail.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._claims = Claims(settings.database_worker_url.get_secret_value())
        redis_url = settings.redis_url.get_secret_value()
        self._redis = Redis.from_url(redis_url, socket_connect_timeout=5)
        self._bell = open_worker_bell(settings, self._redis)
        self._events = EventStream(redis_url)
        objects = open_object_store(settings)
        self._gallery = GalleryUpkeep(self._claims, objects, self._events, settings.orphan_seconds)
        self._stopping = threading.Event()
        self._downloads = Downloads(settings, objects, self._events)
        self._missing = MissingModels(settings, objects)
        self._payments = StripeInbox(settings, self._events)
        self._mailer = Mailer(settings)
        self._privacy = PrivacyKeeper(settings, objects, self._events)
        self._edge = EdgePurger(settings, objects)
        self._watch = Watch(settings)
        self._tasks = [
            Task("reap", min(1.0, settings.lease_seconds / 4), self.reap),
            Task("ring", 5.0, self.ring_again),
            Task("expire_credits", 60.0, self.expire_credits),
            Task("payments", 0.5, self._payments.look),
            Task("grant_months", 300.0, self._payments.grant_months),
            Task("ended_plans", 60.0, self._payments.sweep),
            Task("learn_estimates", 600.0, self.learn_estimates),
            Task("check_ledger", 3600.0, self.check_ledger),
            Task("forget_keys", 3600.0, self._claims.forget_keys),
            Task("installs", 1.0, self._downloads.look),
            Task("tidy_downloads", 10.0, self._downloads.tidy),
            Task("missing_models", 3600.0, self._missing.begin),
            Task("drop_removed", 60.0, self._claims.drop_removed),
            Task("forget_workers", 3600.0, self._claims.forget_workers),
            Task("reap_downloads", 15.0, self._gallery.reap_downloads),
            Task("drop_downloads", 60.0, self._gallery.drop_downloads),
            Task("sweep_files", 10.0, self._gallery.sweep),
            Task("mail", 1.0, self._mailer.begin),
            Task("privacy", 1.0, self._privacy.begin),
            Task("purge", 2.0, self._edge.begin),
            Task("remind", 300.0, Reminders(self._claims).remind),
            Task("watch_queue", 15.0, self._watch.queue),
            Task("watch_business", 60.0, self._watch.business),
        ]

    def run(self) -> None:
        """Runs until TERM or INT."""
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: self._stopping.set())
        log.info("scheduler_ready", tasks=[task.name for task in self._tasks])
        while not self._stopping.is_set():
            for task in self._tasks:
                if task.due <= time.monotonic():
                    self._run_task(task)
            soonest = min(task.due for task in self._tasks)
            self._stopping.wait(max(0.05, soonest - time.monotonic()))
        self.close()

    def close(self) -> None:
        """Ends downloads, sends the events that wait and lets go of every connection."""
        self._watch.close()
        self._mailer.close()
        self._privacy.close()
        self._edge.close()
        self._downloads.close()
        self._missing.close()
        self._payments.close()
        self._events.close()
        self._claims.close()
        self._bell.close()
        self._redis.close()

    def _run_task(self, task: Task) -> None:
        try:
            task.action()
        except (psycopg.Error, RedisError, Unavailable) as error:
            log.warning("task_failed", task=task.name, error=repr(error))
            self._claims.close()
        task.due = time.monotonic() + task.interval

    def reap(self) -> None:
        """Ends leases that ran out, tells their people, and wakes a worker for what waits again."""
        while (job := self._claims.reap(self._settings.max_attempts)) is not None:
            log.warning("job_reaped", job=job.item_id, tenant=str(job.user_id), status=job.status)
            event = self._claims.status_event(job.item_id)
            if event is not None:
                self._events.emit(str(job.user_id), "queue_item_status_changed", event)
            if job.status == "pending":
                self._bell.ring(job.tier, ring_again(job.user_id, job.item_id))
            else:
                self._events.emit(str(job.user_id), "credits_changed", {})

    def ring_again(self) -> None:
        """Rings for jobs that could start: a lost ring costs seconds, not a job."""
        for tier, jobs in self._claims.backlog():
            if jobs and not self._bell.has_rung(tier):
                self._bell.ring(tier, Ring("scheduler", tier))

    def expire_credits(self) -> None:
        """Writes off what expired grants still hold."""
        grants = self._claims.expire_credits(500)
        if grants:
            log.info("credits_expired", grants=grants)

    def check_ledger(self) -> None:
        """Says loudly when the figures kept beside the ledger do not agree with it: nobody could have noticed else."""
        for person, grant in self._claims.disagreements():
            log.error("ledger_disagrees", tenant=str(person), grant=str(grant))

    def learn_estimates(self) -> None:
        """Looks at the jobs of late: so many that it takes about a second, whatever the service has run."""
        classes = self._claims.learn_estimates(_LEARN_DAYS, _LEARN_RECORDS)
        if classes:
            log.info("estimates_learnt", classes=classes)
