"""What Stripe's objects mean: pure reading, no server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from invokeai_saas.billing.stripe import reading

PLAN = {"plan_id": "p", "interval": "month"}


def _at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


def _subscription(**changes: Any) -> dict[str, Any]:
    item = {
        "current_period_start": _at(2026, 1, 1), "current_period_end": _at(2026, 2, 1),
        "price": {"metadata": PLAN},
    }  # fmt: skip
    return {
        "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1, "cancel_at_period_end": False,
        "items": {"data": [item]}, "latest_invoice": {"created": _at(2026, 1, 1)}, "schedule": None, **changes,
    }  # fmt: skip


def test_the_first_that_lives_counts() -> None:
    ended, first, second = (
        _subscription(id="a", status="canceled", created=1), _subscription(id="b", created=2),
        _subscription(id="c", created=3),
    )  # fmt: skip
    assert reading.primary([second, first, ended]) == first
    assert reading.primary([ended]) is None


@pytest.mark.parametrize("status", ["incomplete", "incomplete_expired"])
def test_what_was_never_paid_is_nothing(status: str) -> None:
    assert reading.mirrored(_subscription(status=status), 7) is None


def test_what_sells_no_plan_of_ours_is_nothing() -> None:
    strange = _subscription()
    strange["items"]["data"][0]["price"]["metadata"] = {}
    assert reading.mirrored(strange, 7) is None
    assert reading.primary([strange]) is None


@pytest.mark.parametrize(("days", "until"), [(7, (2026, 1, 8)), (90, (2026, 2, 1))])
def test_the_grace_begins_with_the_unpaid_invoice(days: int, until: tuple[int, int, int]) -> None:
    found = reading.mirrored(_subscription(status="past_due"), days)
    assert found is not None
    assert (found.status, found.end) == ("past_due", _at(*until))


@pytest.mark.parametrize("status", ["canceled", "unpaid", "paused"])
def test_what_ended_ends_when_it_did(status: str) -> None:
    found = reading.mirrored(
        _subscription(status=status, ended_at=_at(2026, 1, 10), cancel_at_period_end=True), 7
    )
    assert found is not None
    assert (found.status, found.end, found.cancel_at_period_end) == ("canceled", _at(2026, 1, 10), False)


def _line(amount: int, start: int, end: int, price: str, *, proration: bool = True) -> dict[str, Any]:
    return {
        "amount": amount, "description": "d", "period": {"start": start, "end": end},
        "parent": {"subscription_item_details": {"proration": proration}},
        "pricing": {"price_details": {"price": price}},
    }  # fmt: skip


def _invoice(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": "in_1", "status": "paid", "total": 1, "amount_paid": 1, "currency": "usd", "created": 5, "metadata": {},
        "lines": {"data": list(lines)}, "status_transitions": {"paid_at": 6}, "payments": {"data": []},
        "parent": {"subscription_details": {"subscription": "sub_1"}}, **changes,
    }  # fmt: skip


PRICES = {
    "month": {"unit_amount": 2500, "metadata": {"plan_id": "starter", "interval": "month"}},
    "pro": {"unit_amount": 7500, "metadata": {"plan_id": "pro", "interval": "month"}},
    "year": {"unit_amount": 75000, "metadata": {"plan_id": "pro", "interval": "year"}},
}


def test_a_change_within_a_month_brings_as_much_as_was_paid_of_it() -> None:
    middle, end = _at(2026, 1, 16), _at(2026, 2, 1)
    facts = reading.invoice_facts(
        _invoice(_line(-1000, middle, end, "month"), _line(3000, middle, end, "pro")), PRICES, 7
    )
    assert [(part["plan_id"], float(part["share"]), part["until"]) for part in facts["parts"]] == [
        ("starter", -0.4, end),
        ("pro", 0.4, end),
    ]
    assert "start" not in facts


def test_of_a_year_only_the_running_month_counts() -> None:
    start, end = _at(2026, 3, 16), _at(2027, 1, 1)
    facts = reading.invoice_facts(_invoice(_line(-50000, start, end, "year")), PRICES, 7)
    (part,) = facts["parts"]
    assert part["until"] == _at(2026, 4, 1)
    assert float(part["share"]) == pytest.approx(-16 / 31)


def test_a_whole_period_is_said_with_its_ends() -> None:
    start, end = _at(2026, 1, 1), _at(2027, 1, 1)
    facts = reading.invoice_facts(_invoice(_line(75000, start, end, "year", proration=False)), PRICES, 7)
    assert (facts["plan_id"], facts["interval"], facts["start"], facts["end"]) == ("pro", "year", start, end)
    assert facts["intent"] is None


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"status": "open", "attempt_count": 1}, {"ends_at": 5 + 7 * 86400}),
        ({"status": "open", "attempt_count": 0}, None),  # Stripe has not tried yet
        ({"status": "paid", "attempt_count": 2}, None),  # it went well in the end
        ({"status": "void", "attempt_count": 1}, None),
        ({"status": "open", "attempt_count": 1, "billing_reason": "subscription_create"}, None),
    ],
)
def test_an_invoice_has_failed_while_a_plan_waits_for_it(
    changes: dict[str, Any], failed: dict[str, int] | None
) -> None:
    invoice = _invoice(**{"billing_reason": "subscription_cycle", **changes})
    assert reading.invoice_facts(invoice, PRICES, 7)["failed"] == failed


def test_months_around_the_31st() -> None:
    end = _at(2026, 3, 31)
    assert reading.month_around(_at(2026, 3, 1), end) == (_at(2026, 2, 28), end)
    assert reading.month_around(_at(2026, 2, 27), end) == (_at(2026, 1, 31), _at(2026, 2, 28))


def test_a_payment_that_paid_is_found_among_those_that_failed() -> None:
    payments = [
        {"status": "open", "payment": {"payment_intent": "pi_1"}},
        {"status": "paid", "payment": {"payment_intent": {"id": "pi_2"}}},
    ]
    assert reading.intent_of({"payments": {"data": payments}}) == "pi_2"
