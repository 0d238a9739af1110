"""The life of subscriptions: begun, changed with proration, renewed, unpaid, ended. One item each."""

from __future__ import annotations

import copy
from typing import Any

from . import invoices
from .account import Account
from .errors import Refused
from .payments import attach, declined, default_card, usable
from .periods import following
from .shapes import Obj

ENDED = ("canceled", "incomplete_expired")
_PAYMENT_BEHAVIOURS = ("allow_incomplete", "error_if_incomplete")


def plan_of(price: Obj) -> Obj:
    """The old form of a price, which items still carry."""
    recurring = price["recurring"]
    return {
        "id": price["id"], "object": "plan", "active": price["active"], "amount": price["unit_amount"],
        "amount_decimal": str(price["unit_amount"]), "billing_scheme": "per_unit", "created": price["created"],
        "currency": price["currency"], "interval": recurring["interval"],
        "interval_count": recurring["interval_count"], "livemode": False, "metadata": price["metadata"],
        "product": price["product"], "usage_type": "licensed",
    }  # fmt: skip


def recurring_price(account: Account, name: Any) -> Obj:
    """An active price that recurs.

    Raises:
        Refused: it does not, or is no longer active.
    """
    price = account.get("price", name, "items[0][price]")
    if not price["active"]:
        raise Refused(f"The price specified is inactive: {price['id']}", param="items[0][price]")
    if price["type"] != "recurring":
        raise Refused(
            f"The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`:"
            f" {price['id']}",
            param="items[0][price]",
        )
    return price


def _only_item(items: list[Obj]) -> Obj:
    if len(items) != 1:
        raise Refused("The local Stripe has one item a subscription.", param="items")
    if items[0].get("quantity", 1) != 1:
        raise Refused("The local Stripe has one of each item.", param="items[0][quantity]")
    return items[0]


def behaviour(params: Obj) -> str:
    """What is to be done when a payment fails.

    Raises:
        Refused: something that is not served.
    """
    chosen: str = params.get("payment_behavior", "allow_incomplete")
    if chosen not in _PAYMENT_BEHAVIOURS:
        raise Refused(f"The local Stripe does not act on {chosen}.", param="payment_behavior")
    return chosen


def create(account: Account, params: Obj, *, method: Obj | None = None, collecting: bool = True) -> Obj:
    """Begins a subscription and collects its first invoice.

    Parameters:
        method: what it is paid with; the customer's default otherwise.
        collecting: False where the caller collects the invoice.
    """
    customer = account.get("customer", params.get("customer", ""), "customer")
    wanted = behaviour(params)
    price = recurring_price(account, _only_item(params.get("items", []))["price"])
    if "default_payment_method" in params:
        method = attach(account, usable(account, params["default_payment_method"]), customer["id"])
    subscription = _begin(account, customer, price, params, method)
    invoice = invoices.finalise(
        account, customer, invoices.draft(account, customer, [_full_line(subscription, price)],
                                          "subscription_create", subscription=subscription),
    )  # fmt: skip
    account.change(subscription, latest_invoice=invoice["id"])
    account.emit("customer.subscription.created", subscription)
    if collecting:
        paid = invoices.collect(account, invoice, method or default_card(account, customer, subscription))
        if not paid and wanted == "error_if_incomplete":
            raise declined(invoices.why_declined(account, invoice), kept=False)
        if paid:
            account.change(subscription, "customer.subscription.updated", status="active")
    return subscription


def _begin(account: Account, customer: Obj, price: Obj, params: Obj, method: Obj | None) -> Obj:
    now = account.now(customer["id"])
    recurring = price["recurring"]
    subscription = account.new(
        "subscription",
        {
            "automatic_tax": {"enabled": False}, "billing_cycle_anchor": now, "billing_mode": {"type": "classic"},
            "billing_schedules": [], "cancel_at_period_end": False, "collection_method": "charge_automatically",
            "currency": price["currency"], "customer": customer["id"], "discounts": [],
            "default_payment_method": method["id"] if method else None,
            "invoice_settings": {"issuer": {"type": "self"}}, "metadata": params.get("metadata", {}),
            "start_date": now, "status": "incomplete", "test_clock": customer.get("test_clock"), "_pending": [],
        },
        customer=customer["id"],
    )  # fmt: skip
    item = account.new(
        "subscription_item",
        {
            "current_period_start": now, "discounts": [], "metadata": {}, "plan": plan_of(price), "price": price,
            "current_period_end": following(now, recurring["interval"], recurring["interval_count"], now),
            "quantity": 1, "subscription": subscription["id"],
        },
        customer=customer["id"],
    )  # fmt: skip
    url = f"/v1/subscription_items?subscription={subscription['id']}"
    subscription["items"] = {"object": "list", "data": [item], "has_more": False, "url": url}
    return account.store.put(subscription)


def item_of(subscription: Obj) -> Obj:
    item: Obj = subscription["items"]["data"][0]
    return item


def _named(price: Obj) -> str:
    interval = price["recurring"]["interval"]
    name = price.get("nickname") or price.get("lookup_key") or price["id"]
    return f"{name} (at ${price['unit_amount'] / 100:.2f} / {interval})"


def _full_line(subscription: Obj, price: Obj) -> Obj:
    item = item_of(subscription)
    return invoices.line(
        price, price["unit_amount"], f"1 x {_named(price)}", item["current_period_start"],
        item["current_period_end"], subscription=subscription["id"], subscription_item=item["id"],
    )  # fmt: skip


def switched(subscription: Obj, price: Obj, moment: int) -> tuple[Obj, list[Obj]]:
    """A copy of a subscription on another price, and the lines that make the difference.

    What is left of the old price's period is given back and what is left of it is charged at the new one, to the
    second: https://docs.stripe.com/billing/subscriptions/prorations. Another interval begins a new period.
    """
    changed = copy.deepcopy(subscription)
    item = item_of(changed)
    old = item["price"]
    start, end = item["current_period_start"], item["current_period_end"]
    left = max(0, min(1, (end - moment) / (end - start)))
    facts = {"subscription": subscription["id"], "subscription_item": item["id"]}
    given_back = invoices.line(
        old,
        -round(old["unit_amount"] * left),
        f"Unused time on {_named(old)}",
        moment,
        end,
        proration=True,
        **facts,
    )
    item |= {"price": price, "plan": plan_of(price)}
    same = [old["recurring"][n] == price["recurring"][n] for n in ("interval", "interval_count")]
    if all(same):
        rest = invoices.line(
            price, round(price["unit_amount"] * left), f"Remaining time on {_named(price)}", moment, end,
            proration=True, **facts,
        )  # fmt: skip
        return changed, [given_back, rest]
    _restart(changed, moment)
    return changed, [given_back, _full_line(changed, price)]


def _restart(subscription: Obj, moment: int) -> None:
    item = item_of(subscription)
    recurring = item["price"]["recurring"]
    subscription["billing_cycle_anchor"] = moment
    item["current_period_start"] = moment
    item["current_period_end"] = following(moment, recurring["interval"], recurring["interval_count"], moment)


def update(account: Account, subscription: Obj, params: Obj) -> Obj:
    """Changes a subscription.

    Raises:
        Refused: it has ended; or payment_behavior says so and the card was declined, and nothing is changed.
    """
    if subscription["status"] in ENDED:
        raise Refused(
            "A canceled subscription can only update its cancellation_details and metadata.", param="status"
        )
    before = copy.deepcopy(subscription)
    customer = account.get("customer", subscription["customer"])
    if "default_payment_method" in params:
        method = attach(account, usable(account, params["default_payment_method"]), customer["id"])
        subscription["default_payment_method"] = method["id"]
    if "metadata" in params:
        subscription["metadata"] = merged(subscription["metadata"], params["metadata"])
    if "cancel_at_period_end" in params:
        _cancel_later(account, subscription, params["cancel_at_period_end"])
    if "items" in params:
        _change_price(account, customer, subscription, params)
    account.store.put(subscription)
    if subscription != before:
        account.emit("customer.subscription.updated", subscription, before)
    return subscription


def merged(old: Obj, new: Any) -> Obj:
    """Metadata as Stripe merges it: an empty value removes its key, an empty string everything."""
    return {} if new == "" else {name: value for name, value in {**old, **new}.items() if value != ""}


def _cancel_later(account: Account, subscription: Obj, wanted: bool) -> None:
    if subscription.get("schedule"):
        raise Refused(
            "The subscription is managed by the subscription schedule"
            f" `{subscription['schedule']}`, and updating any cancelation behavior directly is not allowed.",
            param="cancel_at_period_end",
        )
    subscription["cancel_at_period_end"] = wanted
    subscription["cancel_at"] = item_of(subscription)["current_period_end"] if wanted else None
    subscription["canceled_at"] = account.now(subscription["customer"]) if wanted else None


def _change_price(account: Account, customer: Obj, subscription: Obj, params: Obj) -> None:
    wanted = _only_item(params["items"])
    if wanted.get("id") != item_of(subscription)["id"]:
        raise Refused("The local Stripe changes the one item of a subscription.", param="items[0][id]")
    if "price" not in wanted or wanted["price"] == item_of(subscription)["price"]["id"]:
        return
    price = recurring_price(account, wanted["price"])
    moment = params.get("proration_date", account.now(customer["id"]))
    changed, lines = switched(subscription, price, moment)
    how, policy = params.get("proration_behavior", "create_prorations"), behaviour(params)
    renewed = item_of(changed)["current_period_end"] != item_of(subscription)["current_period_end"]
    subscription.update(changed)
    if how == "none":
        lines = [line for line in lines if renewed and line["amount"] > 0]
    if how != "always_invoice" and not renewed:
        subscription["_pending"] = [*subscription["_pending"], *lines]
        return
    lines = [*subscription["_pending"], *lines]
    subscription["_pending"] = []
    if not lines:
        return
    values = invoices.draft(account, customer, lines, "subscription_update", subscription=subscription)
    invoice = invoices.finalise(account, customer, values)
    subscription["latest_invoice"] = invoice["id"]
    if invoices.collect(account, invoice, default_card(account, customer, subscription)):
        return
    if policy == "error_if_incomplete":
        raise declined(invoices.why_declined(account, invoice), kept=False)
    subscription["status"] = "past_due"


def cancel(account: Account, subscription: Obj, reason: str = "cancellation_requested") -> Obj:
    """Ends a subscription now."""
    if subscription["status"] in ENDED:
        raise Refused(f"No such subscription: '{subscription['id']}'", status=404, code="resource_missing")
    now = account.now(subscription["customer"])
    account.change(
        subscription,
        status="canceled",
        canceled_at=subscription.get("canceled_at") or now,
        ended_at=now,
        schedule=None,
        cancellation_details={"comment": None, "feedback": None, "reason": reason},
    )
    account.emit("customer.subscription.deleted", subscription)
    return subscription


def renew(account: Account, subscription: Obj) -> None:
    """The end of a period: the next one begins, or the subscription ends."""
    if subscription["cancel_at_period_end"]:
        cancel(account, subscription)
        return
    before = copy.deepcopy(subscription)
    customer = account.get("customer", subscription["customer"])
    item = item_of(subscription)
    start = item["current_period_end"]
    recurring = item["price"]["recurring"]
    anchor = subscription["billing_cycle_anchor"]
    item["current_period_start"] = start
    item["current_period_end"] = following(anchor, recurring["interval"], recurring["interval_count"], start)
    lines = [*subscription["_pending"], _full_line(subscription, item["price"])]
    subscription["_pending"] = []
    values = invoices.draft(account, customer, lines, "subscription_cycle", subscription=subscription)
    invoice = invoices.finalise(account, customer, values)
    subscription["latest_invoice"] = invoice["id"]
    if not invoices.collect(account, invoice, default_card(account, customer, subscription)):
        subscription["status"] = "past_due"
    account.store.put(subscription)
    account.emit("customer.subscription.updated", subscription, before)


def paid_late(account: Account, invoice: Obj) -> None:
    """What a subscription becomes when an invoice of it is paid after all."""
    parent = invoice.get("parent")
    subscription = account.store.find(parent["subscription_details"]["subscription"]) if parent else None
    if (
        subscription
        and subscription["status"] in ("past_due", "incomplete")
        and subscription.get("latest_invoice") == invoice["id"]
    ):
        account.change(subscription, "customer.subscription.updated", status="active")
