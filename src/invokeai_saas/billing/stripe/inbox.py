"""The scheduler's part in payments: events are applied by a thread of its own, so that Stripe may be slow."""

from __future__ import annotations

import threading

import psycopg
import stripe
import structlog
from stripe import StripeClient

from invokeai_saas.billing.stripe.applying import Applier
from invokeai_saas.billing.stripe.client import open_stripe
from invokeai_saas.billing.stripe.records import BillingRecords, WaitingEvent
from invokeai_saas.settings import Settings
from invokeai_saas.worker.events import EventStream

log = structlog.get_logger(__name__)
_TRIES = 20  # a day and more, since the wait doubles up to an hour


class StripeInbox:
    """Applies the events that wait.

    Parameters:
        events: tells people's pages that their credits or plan have changed.
    """

    def __init__(self, settings: Settings, events: EventStream) -> None:
        self._settings = settings
        self._events = events
        self._url = settings.database_billing_url.get_secret_value()
        self._upkeep = BillingRecords(self._url)
        self._client: StripeClient | None = open_stripe(settings)
        if not self._url:
            log.warning(
                "no_billing", reason="DATABASE_BILLING_URL is not set: plans neither begin nor end here"
            )
        self._closing = threading.Event()
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Lets the thread look for events; it goes on until none is left."""
        if self._client is None or not self._url:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stripe-inbox", daemon=True)
            self._thread.start()
        self._wanted.set()

    def grant_months(self) -> None:
        """Grants what begins of years that are paid, and of plans that were agreed on."""
        if not self._url:
            return
        granted = self._upkeep.grant_months(500) + self._upkeep.grant_agreed(500)
        if granted:
            log.info("months_granted", people=granted)

    def sweep(self) -> None:
        """Writes down plans that have run out, and whose data has been kept long enough."""
        if not self._url:
            return
        ended = self._upkeep.end_testers(500)
        if ended:
            log.info("testers_ended", people=ended)
        marked = self._upkeep.sweep(self._settings.lapsed_days)
        if marked:
            log.info("marked_for_deletion", people=marked)

    def close(self) -> None:
        """Lets the event in hand end."""
        self._closing.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(30)
        self._upkeep.close()

    def _run(self) -> None:
        records = BillingRecords(self._url)
        while not self._closing.is_set():
            self._wanted.wait()
            self._wanted.clear()
            try:
                self.apply_all(records)
            except psycopg.Error as error:
                log.warning("stripe_inbox_waits", error=repr(error))
                records.close()
        records.close()

    def apply_all(self, records: BillingRecords) -> int:
        """Applies events until none is due; how many there were."""
        assert self._client is not None
        applier = Applier(self._client, records, self._settings.payment_grace_days)
        count = 0
        while not self._closing.is_set() and (event := records.claim()) is not None:
            self._apply(applier, records, event)
            count += 1
        return count

    def _apply(self, applier: Applier, records: BillingRecords, event: WaitingEvent) -> None:
        structlog.contextvars.bind_contextvars(stripe_event=event.id)
        try:
            user = applier.apply(event)
        except psycopg.OperationalError:
            raise  # the database is away: the event comes again
        except Exception as error:
            # It stays where it is, for another try and for an operator to see.
            final = event.attempts >= _TRIES and not isinstance(error, stripe.APIConnectionError)
            log.error("stripe_event_failed", type=event.type, attempts=event.attempts, exc_info=error)
            records.ended(event.id, "failed" if final else "waiting", repr(error))
        else:
            records.ended(event.id, "applied" if user else "ignored")
            if user is not None:
                self._events.emit(str(user), "credits_changed", {})
        finally:
            structlog.contextvars.unbind_contextvars("stripe_event")
