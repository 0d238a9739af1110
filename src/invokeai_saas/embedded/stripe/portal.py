"""The billing portal: a page on which customers change their card, cancel, come back, and see their invoices."""

from __future__ import annotations

from . import invoices, schedules, subscriptions
from .account import Account
from .errors import Refused
from .payments import attach, default_card, new_card
from .shapes import Obj

_HOUR = 3600


def create(account: Account, params: Obj) -> Obj:
    """A session; who has its address may act for the customer for an hour."""
    customer = account.get("customer", params.get("customer", ""), "customer")
    session = account.new(
        "billing_portal.session",
        {
            "configuration": "bpc_local", "customer": customer["id"], "return_url": params.get("return_url"),
            "_made": int(account.clock()),
        },
    )  # fmt: skip
    return account.change(session, url=f"{account.base_url}/p/session/{session['id']}")


def opened(account: Account, name: str) -> Obj:
    """A session that has not run out.

    Raises:
        Refused: there is none.
    """
    session = account.get("billing_portal.session", name)
    if account.clock() > session["_made"] + _HOUR:
        raise Refused("This page has expired. Please open it again from where you came.", status=410)
    return session


def live(account: Account, customer: str) -> list[Obj]:
    """A customer's subscriptions that have not ended."""
    return [
        one
        for one in account.store.all("subscription")
        if one["customer"] == customer and one["status"] not in subscriptions.ENDED
    ]


def set_cancel(account: Account, session: Obj, name: str, wanted: bool) -> None:
    """Cancels a subscription at the end of its period, or takes that back."""
    subscription = account.get("subscription", name)
    if subscription["customer"] != session["customer"]:
        raise Refused("No such subscription.", status=404)
    if wanted and (schedule := account.store.find(subscription.get("schedule") or "")):
        schedules.release(account, schedule)
        subscription = account.get("subscription", name)
    subscriptions.update(account, subscription, {"cancel_at_period_end": wanted})


def set_card(account: Account, session: Obj, number: str, month: int, year: int) -> None:
    """Another card from now on, for what is open too."""
    customer = account.get("customer", session["customer"])
    method = attach(account, new_card(account, number, month, year), customer["id"])
    account.change(customer, "customer.updated", invoice_settings={"default_payment_method": method["id"]})
    for subscription in live(account, customer["id"]):
        account.change(subscription, "customer.subscription.updated", default_payment_method=method["id"])
    owed = [one for one in account.store.all("invoice") if one["customer"] == customer["id"]]
    for invoice in owed:
        if invoice["status"] == "open" and invoices.collect(account, invoice, method):
            subscriptions.paid_late(account, invoice)


def card_shown(account: Account, session: Obj) -> str:
    """What the customer pays with, in words."""
    customer = account.get("customer", session["customer"])
    found = live(account, customer["id"])
    method = default_card(account, customer, found[0] if found else None)
    return f"{method['card']['brand']} ending in {method['card']['last4']}" if method else "none"
