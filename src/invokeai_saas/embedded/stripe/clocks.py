"""What happens by itself as time goes by: renewals, further tries to be paid, first payments that never came.

Customers of a test clock live in its time, all others in ours. https://docs.stripe.com/billing/testing/test-clocks
"""

from __future__ import annotations

from collections.abc import Callable

from . import invoices, schedules, subscriptions
from .account import Account
from .errors import Refused
from .payments import default_card
from .shapes import Obj

_FIRST_PAYMENT_SECONDS = 23 * 3600
_LIVE = ("active", "past_due")
Happening = tuple[int, str, Callable[[], None]]


def advance(account: Account, clock: Obj, until: int) -> Obj:
    """Lets a clock's time go by, with everything that becomes due on the way, in its order.

    Raises:
        Refused: it is not ahead.
    """
    if until <= clock["frozen_time"]:
        raise Refused("You can only advance a test clock forward in time.", param="frozen_time")

    def arrive(moment: int) -> None:
        account.change(clock, frozen_time=max(moment, clock["frozen_time"]))

    account.change(clock, "test_helpers.test_clock.advancing", status="advancing")
    _run(account, clock["id"], until, arrive)
    arrive(until)
    return account.change(clock, "test_helpers.test_clock.ready", status="ready")


def catch_up(account: Account) -> None:
    """The same for everybody who lives in our time."""
    _run(account, None, int(account.clock()), lambda _: None)


def _run(account: Account, clock: str | None, until: int, arrive: Callable[[int], None]) -> None:
    while due := sorted(_happenings(account, clock, until), key=lambda entry: entry[:2]):
        moment, _, happen = due[0]
        arrive(moment)
        happen()


def _happenings(account: Account, clock: str | None, until: int) -> list[Happening]:
    found: list[Happening] = []
    for subscription in account.store.all("subscription"):
        if subscription.get("test_clock") != clock:
            continue
        end = subscriptions.item_of(subscription)["current_period_end"]
        give_up = subscription["created"] + _FIRST_PAYMENT_SECONDS
        if subscription["status"] in _LIVE and end <= until:
            found.append((end, subscription["id"], lambda s=subscription: _renew(account, s)))  # type: ignore[misc]
        elif subscription["status"] == "incomplete" and give_up <= until:
            found.append((give_up, subscription["id"], lambda s=subscription: _expire(account, s)))  # type: ignore[misc]
    for invoice in account.store.all("invoice"):
        customer = account.store.find(invoice["customer"])
        due = invoice.get("next_payment_attempt")
        if (
            invoice["status"] == "open"
            and due
            and due <= until
            and customer
            and customer.get("test_clock") == clock
        ):
            found.append((due, invoice["id"], lambda i=invoice: _try_again(account, i)))  # type: ignore[misc]
    return found


def _renew(account: Account, subscription: Obj) -> None:
    schedules.enter_next_phase(account, subscription)
    subscriptions.renew(account, subscription)


def _expire(account: Account, subscription: Obj) -> None:
    account.change(subscription, "customer.subscription.updated", status="incomplete_expired")
    invoice = account.store.find(subscription["latest_invoice"])
    if invoice is not None and invoice["status"] == "open":
        account.change(invoice, "invoice.voided", status="void", next_payment_attempt=None)


def _try_again(account: Account, invoice: Obj) -> None:
    customer = account.get("customer", invoice["customer"])
    parent = invoice.get("parent")
    subscription = account.store.find(parent["subscription_details"]["subscription"]) if parent else None
    if subscription is not None and subscription["status"] in subscriptions.ENDED:
        account.change(invoice, next_payment_attempt=None)
        return
    if invoices.collect(account, invoice, default_card(account, customer, subscription)):
        subscriptions.paid_late(account, invoice)
    elif invoice["next_payment_attempt"] is None and subscription is not None:
        subscriptions.cancel(account, subscription, "payment_failed")
