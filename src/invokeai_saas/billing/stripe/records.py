"""What the scheduler does to the records of payments: definer functions, with the billing role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from invokeai_saas.billing.stripe.reading import Mirrored, Obj
from invokeai_saas.db.standing import StandingConnection


class WaitingEvent(NamedTuple):
    """An event that is to be applied. Parameters: attempts: with this one."""

    id: str
    type: str
    payload: Obj
    attempts: int


class BillingRecords(StandingConnection):
    """What the billing role does to payments."""

    application = "billing"
    statement_seconds = 0  # a customer's lock is waited for while another process asks Stripe

    def claim(self) -> WaitingEvent | None:
        """The next event that is due; it comes again if nobody says how it ended."""
        row = self._row("SELECT id, type, payload, attempts FROM stripe_event_claim()")
        return WaitingEvent(**row) if row else None

    def ended(self, event: str, status: str, error: str | None = None) -> None:
        """Parameters: status: applied, ignored, failed, or waiting for another try."""
        self._value("SELECT stripe_event_ended(%s, %s, %s)", [event, status, error])

    @contextmanager
    def customer(self, name: str) -> Iterator[UUID | None]:
        """A transaction in which nobody else applies anything of a customer's; the person, or None for a stranger.

        What is read from Stripe within it is the newest that will be applied.
        """
        with self.transaction():
            yield self._value("SELECT billing_lock_customer(%s)", [name])

    def sync(self, user: UUID, subscriptions: list[Mirrored]) -> None:
        """Makes a person's subscriptions these."""
        facts = Jsonb([one.facts() for one in subscriptions])
        self._value("SELECT billing_sync_subscriptions(%s, %s)", [user, facts])

    def apply_invoice(self, user: UUID, facts: Obj) -> bool:
        """Keeps an invoice; True when it was paid and is new."""
        return bool(self._value("SELECT billing_apply_invoice(%s, %s)", [user, Jsonb(facts)]))

    def take_back(self, intent: str, refunded: int, disputed: bool) -> int:
        """Credits that were taken back now; below zero, those that were returned.

        Parameters:
            refunded: cents, all in all.
            disputed: whether a dispute has taken the money.
        """
        return int(self._value("SELECT billing_take_back(%s, %s, %s)", [intent, refunded, disputed]))

    def grant_months(self, limit: int) -> int:
        """Grants the later months of years; how many."""
        return int(self._value("SELECT billing_grant_months(%s)", [limit]))

    def grant_agreed(self, limit: int) -> int:
        """Grants the months of plans that were agreed on with a customer; how many."""
        return int(self._value("SELECT billing_grant_agreed(NULL, %s)", [limit]))

    def end_testers(self, limit: int) -> int:
        """Writes down grants of the tester plan that have ended; how many."""
        return int(self._value("SELECT tester_sweep(%s)", [limit]))

    def sweep(self, days: int) -> int:
        """Writes down what has run out; how many people were marked for deletion."""
        return int(self._value("SELECT billing_sweep(%s)", [days]))
