"""What a bank takes back of a payment, and what comes of its credits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from invokeai_saas.embedded.stripe.payments import dispute
from tests.apps import Subject
from tests.billing.shop import Shop
from tests.money import violations
from tests.stripe_server import DISPUTED


async def _disputed_pack(shop: Shop) -> Subject:
    """Somebody whose bank takes back what a pack cost, of which 300 credits are used."""
    ada = await shop.api.person("ada@example.com")
    shop.execute("UPDATE credits SET valid_until = now() + interval '90 days'")  # the pack is spent first
    url = (await ada.post("/api/v1/billing/packs", json={"pack": "pack-1000"})).json()["url"]
    await asyncio.to_thread(shop.stripe.fill_in, url, DISPUTED)
    await shop.send([event for event in shop.events() if event["type"] == "invoice.paid"])
    await shop.apply()
    shop.execute("SELECT _credits_reserve(%s, 1, 300)", ada.user_id)
    shop.execute("SELECT _credits_settle(%s, 1, 300, 'Pictures')", ada.user_id)
    shop.execute(
        "INSERT INTO usage_records (user_id, job_id, action_type, model_used, gpu_tier, steps, width, height,"
        " batch_size, compute_seconds, credits_consumed)"
        " VALUES (%s, '1', 'generate', 'Starter', 'basic', 1, 64, 64, 1, 300, 300)",
        ada.user_id,
    )
    return ada


async def test_a_dispute_that_ends_well_returns_what_it_took(shop: Shop) -> None:
    ada = await _disputed_pack(shop)
    await shop.deliver()
    assert (await shop.summary(ada))["balance"] == 500
    await shop.answer_dispute("as it was sold")  # that alone decides nothing
    await shop.deliver()
    assert (await shop.summary(ada))["balance"] == 500
    shop.execute("UPDATE credits SET valid_until = now() WHERE source = 'pack'")  # it has taken its time
    await shop.answer_dispute("winning_evidence")
    await shop.deliver()
    assert (await shop.summary(ada))["balance"] == 1200
    assert shop.rows("SELECT status, refunded FROM payments") == [("paid", 0)]
    assert shop.value("SELECT count(*) FROM credits WHERE source = 'pack' AND valid_until > now()") == 1
    shop.execute("UPDATE stripe_events SET status = 'waiting', due_at = now()")
    await shop.apply()
    assert (await shop.summary(ada))["balance"] == 1200
    assert violations(shop.database) == {}


async def test_what_was_returned_is_good_for_as_long_as_it_was(shop: Shop) -> None:
    await _disputed_pack(shop)
    await shop.deliver()
    await shop.answer_dispute("winning_evidence")
    await shop.deliver()
    days = shop.value(
        "SELECT round(extract(epoch FROM c.valid_until - c.valid_from) / 86400) FROM credits c"
        " JOIN credit_allocations a ON a.credit_id = c.id JOIN credit_transactions t ON t.id = a.transaction_id"
        " WHERE t.reference_id LIKE '%%:returned:1' AND c.total_credits = 700"
    )
    assert days == 60


async def test_a_second_dispute_takes_again(shop: Shop) -> None:
    ada = await _disputed_pack(shop)
    await shop.deliver()
    await shop.answer_dispute("winning_evidence")
    await shop.deliver()
    account = shop.stripe.account
    with account.store.transaction():
        dispute(account, account.store.all("charge")[0])
    await shop.deliver()
    assert (await shop.summary(ada))["balance"] == 500
    await shop.answer_dispute("losing_evidence")
    await shop.deliver()
    assert (await shop.summary(ada))["balance"] == 500
    assert shop.value("SELECT status FROM payments") == "disputed"
    assert violations(shop.database) == {}


async def test_each_dispute_leaves_the_time_that_was_left(shop: Shop) -> None:
    await _disputed_pack(shop)
    await shop.deliver()
    await shop.answer_dispute("winning_evidence")
    await shop.deliver()
    shop.execute("UPDATE credits SET valid_until = now() + interval '9 days' WHERE total_credits = 700")
    account = shop.stripe.account
    with account.store.transaction():
        dispute(account, account.store.all("charge")[0])
    await shop.deliver()
    await shop.answer_dispute("winning_evidence")
    await shop.deliver()
    days = shop.rows(
        "SELECT round(extract(epoch FROM valid_until - now()) / 86400) FROM credits"
        " WHERE total_credits = 700 AND valid_until > now() AND expired_credits = 0"
    )
    assert days == [(9,)]


async def test_a_refund_and_a_dispute_of_what_is_used_and_reserved(shop: Shop) -> None:
    """What is free is taken, each time that something is, and no event stays behind."""
    ada = await _disputed_pack(shop)
    for item, amount in ((2, 200), (3, 100), (4, 300)):
        shop.execute("SELECT _credits_reserve(%s, %s, %s)", ada.user_id, item, amount)
    charge = shop.stripe.account.store.all("charge")[0]["id"]
    account = shop.stripe.account
    with account.store.transaction():
        made = account.store.all("dispute")[0]
        account.change(made, status="warning_needs_response")
        account.change(account.store.all("charge")[0], disputed=False)
    await asyncio.to_thread(shop.stripe.client.v1.refunds.create, {"charge": charge, "amount": 250})
    await shop.deliver()  # 100 of 500
    shop.execute("SELECT _credits_settle(%s, 3, 0, 'Nothing')", ada.user_id)
    with account.store.transaction():
        dispute(account, account.store.all("charge")[0])
    await shop.deliver()  # 100 of 900
    await shop.answer_dispute("winning_evidence")
    await shop.deliver()  # which come back; for the refund 400 are due still, and none of those was free
    shop.execute("SELECT _credits_settle(%s, 4, 0, 'Nothing')", ada.user_id)
    with account.store.transaction():
        account.change(account.store.all("charge")[0], disputed=False)
    await asyncio.to_thread(shop.stripe.client.v1.refunds.create, {"charge": charge})
    await shop.deliver()
    assert shop.value("SELECT count(*) FROM stripe_events WHERE status IN ('waiting', 'failed')") == 0
    assert shop.rows("SELECT status, refunded FROM payments") == [("refunded", 5)]
    taken = shop.rows(
        "SELECT amount FROM credit_transactions WHERE transaction_type = 'refund' ORDER BY created_at"
    )
    assert taken == [(-100,), (-100,), (-400,)]


async def test_months_of_a_year_that_a_dispute_has_swallowed_come_when_it_ends_well(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada, interval="year", card=DISPUTED)
    assert shop.value("SELECT status FROM payments") == "disputed"
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(days=110)  # three more months have begun
    shop.execute(
        "UPDATE user_subscriptions SET current_period_start = %s WHERE billing_interval = 'year'", begin
    )
    shop.execute(
        "UPDATE payments SET period_start = %s, created_at = %s, disputed_at = %s", begin, begin, begin
    )
    shop.execute("SELECT billing_grant_months(10)")
    assert shop.value("SELECT count(*) FROM credits WHERE source = 'subscription'") == 1
    await shop.answer_dispute("winning_evidence")
    await shop.deliver()
    shop.execute("SELECT billing_grant_months(10)")
    granted = shop.rows(
        "SELECT replace(t.reference_id, p.stripe_invoice_id, ''), t.amount FROM credit_transactions t, payments p"
        " WHERE t.transaction_type = 'grant' AND t.reference_id LIKE 'invoice:%%' ORDER BY 1"
    )
    assert granted == [
        ("invoice:", 5000),
        ("invoice::1", 5000),
        ("invoice::2", 5000),
        ("invoice::3", 5000),
        ("invoice::returned:1", 5000),
    ]
    good = shop.value("SELECT count(*) FROM credits WHERE valid_until > now() + interval '27 days'")
    assert good == 5  # the first, what was returned for as long as it was, and each month for its own length
    assert violations(shop.database) == {}


@pytest.mark.parametrize(
    ("dispute", "balance", "status"),
    [
        ({"status": "warning_needs_response"}, 1200, "paid"),
        ({"status": "prevented", "payment_method_details": {"card": {"case_type": "block"}}}, 1200, "paid"),
        (
            {"status": "prevented", "payment_method_details": {"card": {"case_type": "resolution"}}},
            500,
            "disputed",
        ),
    ],
    ids=["asked", "blocked", "resolved"],
)
async def test_what_a_dispute_has_taken(
    shop: Shop, dispute: dict[str, Any], balance: int, status: str
) -> None:
    """A bank that only asks has taken nothing, nor has one whose dispute Stripe blocked."""
    ada = await _disputed_pack(shop)
    account = shop.stripe.account
    with account.store.transaction():
        account.change(account.store.all("dispute")[0], **dispute)
    await shop.deliver()
    assert (await shop.summary(ada))["balance"] == balance
    assert shop.value("SELECT status FROM payments") == status
