"""The scheduler's part in privacy: plans end at once, people are deleted when the moment has come, old exports go."""

from __future__ import annotations

import threading
import time
from uuid import UUID

import psycopg
import stripe
import structlog
from redis import Redis
from redis.exceptions import RedisError

from invokeai_saas.billing.stripe.client import open_stripe
from invokeai_saas.errors import Unavailable
from invokeai_saas.privacy.deleting import QUIET, Deleter
from invokeai_saas.privacy.pool import PoolSide
from invokeai_saas.privacy.records import InHand, Lost, PrivacyRecords
from invokeai_saas.privacy.stripe import StripeSide
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.worker.events import EventStream

log = structlog.get_logger(__name__)
_LEASE = 120.0  # seconds
_AGAIN = 30.0  # seconds after a failure
_BROKEN = 600.0  # seconds after a failure that is a fault of ours
_AWAY = (Unavailable, stripe.StripeError, RedisError)


class PrivacyKeeper:
    """Works in a thread of its own: Stripe, the store and a large account may take their time.

    Parameters:
        quiet: seconds, see deleting.QUIET.
    """

    def __init__(
        self, settings: Settings, objects: ObjectStore, events: EventStream, quiet: float = QUIET
    ) -> None:
        self._url = settings.database_billing_url.get_secret_value()
        self._records = PrivacyRecords(self._url)
        self._objects = objects
        self._stripe = StripeSide(open_stripe(settings))
        self._redis = Redis.from_url(settings.redis_url.get_secret_value(), socket_connect_timeout=5)
        self._deleter = Deleter(
            self._records, objects, self._stripe, PoolSide(settings), self._redis, events, quiet
        )
        self._later: dict[
            UUID, float
        ] = {}  # people whose plan could not be ended, and when it is tried again
        self._round: threading.Thread | None = None
        self._stopping = threading.Event()

    def begin(self) -> None:
        """Starts a round, unless the last one still runs."""
        if self._url and (self._round is None or not self._round.is_alive()):
            self._round = threading.Thread(target=self._run, name="privacy", daemon=True)
            self._round.start()

    def _run(self) -> None:
        try:
            self.look()
        except psycopg.Error as error:
            log.warning("privacy_waits", error=repr(error))
            self._records.close()

    def look(self) -> None:
        """Does what is due.

        Raises:
            psycopg.Error: the database went away.
        """
        try:
            self._records.tidy_exports(self._objects)
        except Unavailable as error:
            log.warning("exports_not_tidied", error=repr(error))
        self._end_plans()
        while not self._stopping.is_set() and (person := self._records.claim(_LEASE)) is not None:
            self._delete(person)

    def _end_plans(self) -> None:
        for user_id, customer in self._records.plans_to_end():
            if self._later.get(user_id, 0.0) > time.monotonic():
                continue
            try:
                ended = self._stripe.end_plans(customer) if customer else 0
            except _AWAY as error:
                log.warning("plan_not_ended", tenant=str(user_id), error=repr(error))
                self._later[user_id] = time.monotonic() + _AGAIN
                continue
            self._later.pop(user_id, None)
            self._records.plan_ended(user_id)
            log.info("plan_ended", tenant=str(user_id), subscriptions=ended)

    def _delete(self, person: InHand) -> None:
        try:
            self._deleter.advance(person)
        except Lost:
            log.warning("deletion_lost", tenant=str(person.user_id))
        except psycopg.OperationalError:
            raise  # the database is away: the lease runs out
        except _AWAY as error:
            log.warning("deletion_waits", tenant=str(person.user_id), error=repr(error))
            self._records.wait(person, _AGAIN)
        except Exception as error:
            # For an operator to see; whoever else is due is not to wait for it.
            log.error("deletion_failed", tenant=str(person.user_id), exc_info=error)
            self._records.wait(person, _BROKEN)

    def close(self) -> None:
        """Lets the stage in hand end."""
        self._stopping.set()
        if self._round is not None:
            self._round.join(timeout=30)
        self._redis.close()
        self._records.close()
