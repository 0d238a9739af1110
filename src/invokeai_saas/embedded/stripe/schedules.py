"""Subscription schedules, for what is to change at the end of a period: two phases, the present one and the next."""

from __future__ import annotations

import copy

from .account import Account
from .errors import Refused
from .periods import after
from .shapes import Obj
from .subscriptions import item_of, plan_of, recurring_price


def create(account: Account, params: Obj) -> Obj:
    """A schedule of a subscription that there is, with its present period as the only phase.

    Raises:
        Refused: the subscription has one already.
    """
    subscription = account.get("subscription", params.get("from_subscription", ""), "from_subscription")
    if subscription.get("schedule"):
        raise Refused(
            "You cannot migrate a subscription that is already attached to a schedule:"
            f" `{subscription['schedule']}`",
            param="from_subscription",
        )
    item = item_of(subscription)
    phase = _phase(
        item["price"], item["current_period_start"], item["current_period_end"], "create_prorations"
    )
    made = account.new(
        "subscription_schedule",
        {
            "billing_mode": {"type": "classic"}, "customer": subscription["customer"],
            "current_phase": {"start_date": phase["start_date"], "end_date": phase["end_date"]},
            "default_settings": {
                "billing_cycle_anchor": "automatic", "invoice_settings": {"issuer": {"type": "self"}},
            },
            "end_behavior": "release", "metadata": {}, "pause_schedules": [], "phases": [phase],
            "status": "active", "subscription": subscription["id"],
            "test_clock": subscription.get("test_clock"),
        },
        customer=subscription["customer"],
    )  # fmt: skip
    account.emit("subscription_schedule.created", made)
    account.change(subscription, "customer.subscription.updated", schedule=made["id"])
    return made


def _phase(price: Obj, start: int, end: int, proration: str) -> Obj:
    item = {"price": price["id"], "plan": price["id"], "quantity": 1, "discounts": [], "metadata": {}}
    return {
        "add_invoice_items": [], "currency": price["currency"], "discounts": [], "start_date": start, "end_date": end,
        "items": [item], "metadata": {}, "proration_behavior": proration,
    }  # fmt: skip


def update(account: Account, schedule: Obj, params: Obj) -> Obj:
    """Sets the phases.

    Raises:
        Refused: it is over; or the phases are not the present period and one that follows it.
    """
    _must_be_active(schedule)
    if params.get("end_behavior", "release") != "release":
        raise Refused("The local Stripe releases subscriptions at the end.", param="end_behavior")
    if "phases" in params:
        schedule["phases"] = _phases(account, schedule, params["phases"])
    return account.change(schedule, "subscription_schedule.updated", end_behavior="release")


def _phases(account: Account, schedule: Obj, wanted: list[Obj]) -> list[Obj]:
    subscription = account.get("subscription", schedule["subscription"])
    item = item_of(subscription)
    start, end = item["current_period_start"], item["current_period_end"]
    if not 1 <= len(wanted) <= 2:
        raise Refused("The local Stripe has the present phase and one after it.", param="phases")
    if wanted[0].get("start_date", start) != start or wanted[0].get("end_date", end) != end:
        raise Refused("The local Stripe's first phase is the present period.", param="phases[0][end_date]")
    phases = []
    for given, begins in zip(wanted, (start, end), strict=False):
        price = recurring_price(account, given["items"][0].get("price"))
        lasts: Obj = given.get("duration") or price["recurring"]
        until = end if begins == start else after(end, lasts["interval"], lasts.get("interval_count", 1))
        phases.append(_phase(price, begins, until, given.get("proration_behavior", "create_prorations")))
    if phases[0]["items"][0]["price"] != item["price"]["id"]:
        raise Refused("The local Stripe does not change the present phase.", param="phases[0][items]")
    return phases


def _must_be_active(schedule: Obj) -> None:
    if schedule["status"] != "active":
        raise Refused(
            f"You cannot change a subscription schedule that is currently in the `{schedule['status']}` status.",
        )


def release(account: Account, schedule: Obj) -> Obj:
    """Lets the subscription go on as it is, without a schedule."""
    _must_be_active(schedule)
    subscription = account.get("subscription", schedule["subscription"])
    account.change(
        schedule,
        "subscription_schedule.released",
        status="released",
        released_at=account.now(schedule["customer"]),
        released_subscription=subscription["id"],
        subscription=None,
        current_phase=None,
    )
    account.change(subscription, "customer.subscription.updated", schedule=None)
    return schedule


def enter_next_phase(account: Account, subscription: Obj) -> None:
    """At the end of a phase: the subscription takes the next one's price, or is on its own again after the last."""
    schedule = account.store.find(subscription.get("schedule") or "")
    if schedule is None or schedule["status"] != "active":
        return
    end = item_of(subscription)["current_period_end"]
    phase = next((one for one in schedule["phases"] if one["start_date"] == end), None)
    if phase is None:
        _complete(account, schedule, subscription)
        return
    before = copy.deepcopy(subscription)
    price = account.get("price", phase["items"][0]["price"])
    item = item_of(subscription)
    if price["recurring"] != item["price"]["recurring"]:
        subscription["billing_cycle_anchor"] = end
    item |= {"price": price, "plan": plan_of(price)}
    account.store.put(subscription)
    account.emit("customer.subscription.updated", subscription, before)
    current = {"start_date": phase["start_date"], "end_date": phase["end_date"]}
    account.change(schedule, "subscription_schedule.updated", current_phase=current)


def _complete(account: Account, schedule: Obj, subscription: Obj) -> None:
    account.change(
        schedule,
        "subscription_schedule.completed",
        status="completed",
        completed_at=account.now(schedule["customer"]),
        subscription=None,
        released_subscription=subscription["id"],
        current_phase=None,
    )
    account.change(subscription, schedule=None)
