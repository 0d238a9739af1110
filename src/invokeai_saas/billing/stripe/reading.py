"""What Stripe's objects mean to us. Nothing here asks anybody: the same objects are always read alike.

Which plan or pack a price sells stands in its metadata, so that old prices go on being understood when a plan's row
has another: `plan_id` and `interval`, or `pack`. Moments are seconds since 1970, amounts cents.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

Obj = dict[str, Any]
_LIVE = ("active", "trialing", "past_due")
_DAY = 86400


@dataclass(frozen=True)
class Sold:
    """A plan that a price sells. Parameters: interval: month or year."""

    plan_id: str
    interval: str


@dataclass(frozen=True)
class Mirrored:
    """A subscription in our words. Parameters: status: active, past_due or canceled; start, end: its period."""

    id: str
    customer: str
    plan_id: str
    status: str
    interval: str
    start: int
    end: int
    cancel_at_period_end: bool
    next_plan_id: str | None = None
    next_interval: str | None = None

    def facts(self) -> Obj:
        """For the database."""
        return asdict(self)


def sold_by(price: Obj) -> Sold | None:
    """The plan that a price sells; None for anything else."""
    metadata = price.get("metadata") or {}
    if "plan_id" not in metadata:
        return None
    return Sold(metadata["plan_id"], metadata["interval"])


def is_live(subscription: Obj) -> bool:
    """Whether it gives its customer a plan, or is still trying to."""
    return subscription["status"] in _LIVE


def primary(subscriptions: Sequence[Obj]) -> Obj | None:
    """The one that counts, of a customer's: the first of those alive. A second is a mistake, which is paid back."""
    alive = [one for one in subscriptions if is_live(one) and sold_by(item_of(one)["price"])]
    return min(alive, key=lambda one: (one["created"], one["id"])) if alive else None


def item_of(subscription: Obj) -> Obj:
    item: Obj = subscription["items"]["data"][0]
    return item


def mirrored(subscription: Obj, grace_days: float, following: Obj | None = None) -> Mirrored | None:
    """A subscription as we keep it; None for what was never paid, or sells none of our plans.

    Parameters:
        subscription: with `latest_invoice` expanded.
        grace_days: how long a plan goes on when a renewal is not paid.
        following: the price that takes its place at the end of the period, where one does.
    """
    item = item_of(subscription)
    sold = sold_by(item["price"])
    if sold is None or subscription["status"] in ("incomplete", "incomplete_expired"):
        return None
    start, end = item["current_period_start"], item["current_period_end"]
    status = "active"
    if subscription["status"] == "past_due":
        status = "past_due"
        unpaid_since: int = (subscription.get("latest_invoice") or {"created": start})["created"]
        end = max(start + 1, min(end, unpaid_since + int(grace_days * _DAY)))
    elif not is_live(subscription):
        status = "canceled"
        end = max(start + 1, min(end, subscription.get("ended_at") or end))
    next_sold = sold_by(following) if following and status != "canceled" else None
    return Mirrored(
        id=subscription["id"],
        customer=str(subscription["customer"]),
        plan_id=sold.plan_id,
        status=status,
        interval=sold.interval,
        start=start,
        end=end,
        cancel_at_period_end=bool(subscription["cancel_at_period_end"]) and status != "canceled",
        next_plan_id=next_sold.plan_id if next_sold else None,
        next_interval=next_sold.interval if next_sold else None,
    )


def following_price(subscription: Obj) -> str | None:
    """The id of the price that a schedule puts in its place at the end of the period.

    Parameters:
        subscription: with `schedule` expanded.
    """
    schedule = subscription.get("schedule")
    if not isinstance(schedule, dict) or schedule["status"] != "active":
        return None
    end = item_of(subscription)["current_period_end"]
    for phase in schedule["phases"]:
        if phase["start_date"] >= end:
            return named(phase["items"][0]["price"])
    return None


def invoice_facts(invoice: Obj, prices: dict[str, Obj], grace_days: float) -> Obj:
    """An invoice for the database.

    Parameters:
        invoice: with `payments` expanded.
        prices: those that its lines name, by id.
        grace_days: how long a plan goes on when a renewal is not paid.
    """
    lines = invoice["lines"]["data"]
    facts: Obj = {
        "id": invoice["id"],
        "number": invoice.get("number"),
        "status": invoice["status"],
        "description": _description(lines),
        "amount": invoice["total"],
        "paid": invoice["amount_paid"],
        "currency": invoice["currency"],
        "url": invoice.get("hosted_invoice_url"),
        "created": invoice["created"],
        "paid_at": (invoice["status_transitions"] or {}).get("paid_at") or invoice["created"],
        "subscription": _subscription_of(invoice),
        "intent": intent_of(invoice),
        "failed": _failed(invoice, grace_days),
        "parts": [],
    }
    metadata = invoice.get("metadata") or {}
    if "pack" in metadata:
        return facts | {"pack": {"credits": int(metadata["credits"]), "days": int(metadata["valid_days"])}}
    for line in lines:
        price = prices[line["pricing"]["price_details"]["price"]]
        sold = sold_by(price)
        if sold is None:
            continue
        if _is_proration(line):
            facts["parts"].append(_part(line, price, sold))
        else:
            facts |= {
                "plan_id": sold.plan_id, "interval": sold.interval,
                "start": line["period"]["start"], "end": line["period"]["end"],
            }  # fmt: skip
    return facts


def _failed(invoice: Obj, grace_days: float) -> Obj | None:
    """Of an invoice of a running plan that Stripe tried in vain to collect: when the plan ends."""
    owed = invoice["status"] == "open" and invoice["attempt_count"] > 0
    if not owed or invoice["billing_reason"] not in ("subscription_cycle", "subscription_update"):
        return None
    return {"ends_at": invoice["created"] + int(grace_days * _DAY)}


def _is_proration(line: Obj) -> bool:
    details = (line.get("parent") or {}).get("subscription_item_details") or {}
    return bool(details.get("proration"))


def _subscription_of(invoice: Obj) -> str | None:
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    return named(details.get("subscription"))


def named(thing: Any) -> str | None:
    """The id of what may be expanded."""
    found: str | None = thing["id"] if isinstance(thing, dict) else thing
    return found


def intent_of(invoice: Obj) -> str | None:
    """The payment intent that paid an invoice; None where nothing was due."""
    for payment in (invoice.get("payments") or {}).get("data", []):
        if payment["status"] == "paid":
            return named(payment["payment"].get("payment_intent"))
    return None


def _description(lines: Sequence[Obj]) -> str:
    """Of what was bought, not of what was given back for it."""
    said = [line["description"] for line in lines if line["amount"] >= 0 and line["description"]]
    return "; ".join(said)[:500] or "Change of plan"


def _part(line: Obj, price: Obj, sold: Sold) -> Obj:
    """What of a month's credits a prorated line brings or, below zero, gives back.

    Of a price a month it is as much as of the money. A year's credits come month by month, so of a price a year only
    what is left of the running month counts.
    """
    sign = 1 if line["amount"] > 0 else -1
    start, end = line["period"]["start"], line["period"]["end"]
    if sold.interval == "month":
        share = Fraction(abs(line["amount"]), price["unit_amount"])
        return {"plan_id": sold.plan_id, "share": str(float(sign * share)), "until": end}
    begins, until = month_around(start, end)
    share = Fraction(until - start, until - begins)
    return {"plan_id": sold.plan_id, "share": str(float(sign * share)), "until": until}


def month_around(moment: int, end: int) -> tuple[int, int]:
    """The month of a paid period in which a moment lies, counted back from the period's end."""
    count = 0
    while _months_before(end, count + 1) > moment:
        count += 1
    return _months_before(end, count + 1), _months_before(end, count)


def _months_before(end: int, count: int) -> int:
    last = datetime.fromtimestamp(end, UTC)
    year, month = divmod(last.year * 12 + last.month - 1 - count, 12)
    day = min(last.day, monthrange(year, month + 1)[1])
    return int(last.replace(year=year, month=month + 1, day=day).timestamp())
