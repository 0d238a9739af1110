"""Events in any order, however often; and what renewals, failed payments, refunds and disputes lead to."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from invokeai_saas.billing.stripe.operating import replay
from invokeai_saas.db import roles
from invokeai_saas.embedded.stripe.webhooks import signature
from invokeai_saas.settings import Settings
from tests.apps import Subject, running_api
from tests.billing.shop import DAY, Shop
from tests.money import violations
from tests.servers import TestDatabase
from tests.stripe_server import DECLINED, DISPUTED, FAILS_LATER, GOOD, SECRET

# What may differ between two ways to the same state: names that we make up, and when we heard of it.
_OURS = ("id", "created_at", "updated_at", "ended_at", "credit_id", "transaction_id", "disputed_at")
_TABLES = (
    "user_subscriptions",
    "payments",
    "invoices",
    "credits",
    "credit_transactions",
    "credit_allocations",
)


def _state(shop: Shop) -> dict[str, list[str]]:
    """Everything that events may change, less what is made up."""
    found = {}
    with psycopg.connect(shop.database.owner, row_factory=dict_row) as connection:
        payments = {
            str(row["id"]): row["stripe_invoice_id"] for row in connection.execute("SELECT * FROM payments")
        }
        for table in _TABLES:
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            kept = [{name: value for name, value in row.items() if name not in _OURS} for row in rows]
            text = sorted(str(sorted(row.items(), key=lambda entry: entry[0])) for row in kept)
            for name, invoice in payments.items():
                text = [line.replace(name, invoice) for line in text]
            found[table] = sorted(text)
        mails = connection.execute(
            "SELECT kind, key, data::text AS said FROM mail_outbox WHERE kind IN ('receipt', 'payment_failed')"
        ).fetchall()
        found["mails"] = sorted(str(sorted(mail.items())) for mail in mails)
    return found


async def _life(shop: Shop) -> Subject:
    """A customer's life with everything in it. Nothing of it is told to us."""
    ada = await shop.api.person("ada@example.com")

    async def fill(path: str, body: dict[str, str], card: str = GOOD) -> None:
        url = (await ada.post(f"/api/v1/billing/{path}", json=body)).json()["url"]
        assert (await asyncio.to_thread(shop.stripe.fill_in, url, card)).status_code == 303

    await fill("subscribe", {"plan": "starter"})
    clock = shop.on_a_clock(ada)
    shop.pass_time(clock, 10 * DAY)
    await ada.post("/api/v1/billing/change", json={"plan": "pro"})
    await fill("packs", {"pack": "pack-1000"})
    await fill("packs", {"pack": "pack-5000"}, DISPUTED)
    await fill("packs", {"pack": "pack-5000"}, DISPUTED)
    await shop.answer_dispute("winning_evidence")
    await fill("packs", {"pack": "pack-1000"})
    charges = [charge for charge in shop.stripe.account.store.all("charge") if charge["amount"] == 500]
    await asyncio.to_thread(shop.stripe.client.v1.refunds.create, {"charge": charges[0]["id"], "amount": 100})
    await asyncio.to_thread(shop.stripe.client.v1.refunds.create, {"charge": charges[0]["id"], "amount": 300})
    await asyncio.to_thread(shop.stripe.client.v1.refunds.create, {"charge": charges[1]["id"]})
    await ada.post("/api/v1/billing/change", json={"plan": "starter"})
    shop.pass_time(clock, 31 * DAY)
    await ada.post("/api/v1/billing/cancel")
    await ada.post("/api/v1/billing/reactivate")
    portal = (await ada.post("/api/v1/billing/portal")).json()["url"]
    await asyncio.to_thread(shop.stripe.fill_in, portal, FAILS_LATER, act="card")
    shop.pass_time(clock, 31 * DAY)
    await asyncio.to_thread(shop.stripe.fill_in, portal, GOOD, act="card")
    await ada.post("/api/v1/billing/change", json={"plan": "studio", "interval": "year"})
    return ada


_WIPE = (
    "SET session_replication_role = replica; TRUNCATE mail_outbox, stripe_events, payments, invoices, account_lapses,"
    " tester_plan_grants, user_subscriptions, credit_accounts, credits, credit_transactions, credit_allocations,"
    " credit_reservations, credit_holds, usage_records"
)


def _wipe(shop: Shop, ada: Subject) -> None:
    """Back to a new person who has bought nothing that we know of."""
    with psycopg.connect(shop.database.url()) as connection:
        connection.execute(_WIPE)
        connection.execute("SET session_replication_role = DEFAULT")
        connection.execute("SELECT billing_start_trial(%s)", [ada.user_id])
        since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
        connection.execute("SET session_replication_role = replica")  # the same trial each time
        connection.execute(
            "UPDATE user_subscriptions SET current_period_start = %s, current_period_end = %s, trial_end = %s",
            [since, until, until],
        )
        connection.execute("UPDATE credits SET valid_from = %s, valid_until = %s", [since, until])
        connection.execute("SET session_replication_role = DEFAULT")


async def test_five_times_each_in_any_order_is_once_in_order(shop: Shop) -> None:
    ada = await _life(shop)
    events = shop.events()
    told = {event["type"] for event in events}
    assert told >= {
        "checkout.session.completed", "customer.subscription.created", "customer.subscription.updated",
        "invoice.paid", "invoice.payment_failed", "charge.refunded", "charge.dispute.created",
    }  # fmt: skip
    _wipe(shop, ada)
    await shop.send(events)
    await shop.apply()
    once = _state(shop)
    assert violations(shop.database) == {}
    assert shop.value("SELECT count(*) FROM stripe_events WHERE status IN ('waiting', 'failed')") == 0
    assert shop.value("SELECT count(*) FROM mail_outbox WHERE kind = 'receipt'") == shop.value(
        "SELECT count(*) FROM payments WHERE amount > 0"
    )
    assert {row[0] for row in shop.rows("SELECT status FROM payments")} == {
        "paid", "refunded", "partly_refunded", "disputed",
    }  # fmt: skip
    for seed in range(3):
        _wipe(shop, ada)
        often = events * 5
        random.Random(seed).shuffle(often)
        for start in range(0, len(often), 200):  # applied between, so that late ones find what early ones did
            await shop.send(often[start : start + 200])
            shop.execute("UPDATE stripe_events SET due_at = now() + random() * interval '1 s'")
            shop.execute("UPDATE stripe_events SET due_at = now() - (due_at - now())")
            await shop.apply()
        shop.execute("UPDATE stripe_events SET status = 'waiting', due_at = now()")
        await shop.apply()
        assert _state(shop) == once, f"seed {seed}"
        assert violations(shop.database) == {}


async def test_two_schedulers_apply_each_event_once(shop: Shop) -> None:
    ada = await _life(shop)
    _wipe(shop, ada)
    await shop.send(shop.events())
    await asyncio.gather(shop.apply(), shop.apply(), shop.apply())
    assert violations(shop.database) == {}
    assert shop.value("SELECT count(*) FROM stripe_events WHERE status IN ('waiting', 'failed')") == 0
    grants = shop.rows("SELECT reference_id, count(*) FROM credit_transactions WHERE transaction_type = 'grant'"
                       " GROUP BY 1 HAVING count(*) > 1")  # fmt: skip
    assert grants == []


async def test_a_renewal_brings_the_next_months_credits(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    clock = shop.on_a_clock(ada)
    shop.pass_time(clock, 31 * DAY)
    await shop.deliver()
    grants = shop.rows("SELECT total_credits, valid_from, valid_until FROM credits WHERE source = 'subscription'"
                       " ORDER BY valid_from")  # fmt: skip
    assert [grant[0] for grant in grants] == [5000, 5000]
    first, second = grants
    assert (first[2] - second[1]).total_seconds() == 2 * 3600
    end = datetime.fromtimestamp(shop.subscription(ada)["items"]["data"][0]["current_period_end"], UTC)
    assert shop.value("SELECT current_period_end FROM user_subscriptions WHERE status = 'active'") == end


async def test_an_unpaid_renewal_has_a_grace_and_then_ends(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    portal = (await ada.post("/api/v1/billing/portal")).json()["url"]
    await asyncio.to_thread(shop.stripe.fill_in, portal, FAILS_LATER, act="card")
    clock = shop.on_a_clock(ada)
    shop.pass_time(clock, 31 * DAY)
    await shop.deliver()
    status, end = shop.rows("SELECT status, current_period_end FROM user_subscriptions"
                            " WHERE stripe_subscription_id IS NOT NULL")[0]  # fmt: skip
    invoice = shop.stripe.account.store.all("invoice")[0]
    assert status == "past_due"
    assert end.timestamp() == invoice["created"] + 7 * DAY
    ((key, told),) = shop.rows("SELECT key, data FROM mail_outbox WHERE kind = 'payment_failed'")
    assert (key, told["plan"], told["amount"]) == (invoice["id"], "Starter", 2500)
    assert datetime.fromisoformat(told["ends_at"]) == end
    assert (await shop.summary(ada))["plan"]["slug"] == "starter"
    assert (
        shop.value("SELECT count(*) FROM credits WHERE source = 'subscription'") == 1
    )  # nothing for what is unpaid
    assert (await ada.get("/api/v1/billing/invoices")).json()[0]["status"] == "open"
    shop.execute("UPDATE user_subscriptions SET current_period_start = now() - interval '9 days',"
                 " current_period_end = now() - interval '1 s' WHERE status = 'past_due'")  # fmt: skip
    shop.inbox.sweep()
    assert (await shop.summary(ada))["plan"] is None
    assert (
        shop.value("SELECT status FROM user_subscriptions WHERE stripe_subscription_id IS NOT NULL")
        == "expired"
    )
    await asyncio.to_thread(shop.stripe.fill_in, portal, GOOD, act="card")
    await shop.deliver()
    assert (await shop.summary(ada))["status"] == "active"
    assert shop.value("SELECT count(*) FROM credits WHERE source = 'subscription'") == 2
    receipts = shop.rows("SELECT data FROM mail_outbox WHERE kind = 'receipt' ORDER BY created_at")
    assert [(told["amount"], told["credits"]) for (told,) in receipts] == [(2500, 5000), (2500, 5000)]
    assert shop.value("SELECT count(*) FROM mail_outbox WHERE kind = 'payment_failed'") == 1


async def test_a_pack_is_receipted_and_a_declined_card_is_no_news(shop: Shop) -> None:
    """Whoever fills in a card that is declined sees it at once, on Stripe's page."""
    ada = await shop.api.person("ada@example.com")
    url = (await ada.post("/api/v1/billing/packs", json={"pack": "pack-1000"})).json()["url"]
    await asyncio.to_thread(shop.stripe.fill_in, url, DECLINED)
    await shop.deliver()
    assert shop.rows("SELECT kind FROM mail_outbox WHERE kind IN ('receipt', 'payment_failed')") == []
    await shop.buy(ada)
    ((key, told),) = shop.rows("SELECT key, data FROM mail_outbox WHERE kind = 'receipt'")
    assert key == shop.value("SELECT stripe_invoice_id FROM invoices WHERE status = 'paid'")
    assert (told["amount"], told["currency"], told["what"], told["credits"]) == (
        500, "usd", "1,000 credits", 1000,
    )  # fmt: skip


async def test_a_subscription_that_is_never_paid_is_cancelled(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    portal = (await ada.post("/api/v1/billing/portal")).json()["url"]
    await asyncio.to_thread(shop.stripe.fill_in, portal, FAILS_LATER, act="card")
    clock = shop.on_a_clock(ada)
    shop.pass_time(clock, 60 * DAY)
    await shop.deliver()
    assert (
        shop.value("SELECT status FROM user_subscriptions WHERE stripe_subscription_id IS NOT NULL")
        == "canceled"
    )


async def test_a_refund_takes_back_what_is_left_in_parts(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.buy(ada)
    charge = shop.stripe.account.store.all("charge")[0]["id"]
    refunds = shop.stripe.client.v1.refunds
    for cents, balance in ((125, 1250), (125, 1000), (250, 500)):
        await asyncio.to_thread(refunds.create, {"charge": charge, "amount": cents})
        await shop.deliver()
        assert (await shop.summary(ada))["balance"] == balance
    assert shop.rows("SELECT status, refunded FROM payments") == [("refunded", 5)]
    assert violations(shop.database) == {}


async def test_what_was_spent_stays_spent(shop: Shop) -> None:
    """A dispute takes back what is neither used nor reserved, never more."""
    ada = await shop.api.person("ada@example.com")
    shop.execute("UPDATE credits SET valid_until = now() + interval '90 days'")  # the pack is spent first
    url = (await ada.post("/api/v1/billing/packs", json={"pack": "pack-1000"})).json()["url"]
    await asyncio.to_thread(shop.stripe.fill_in, url, DISPUTED)
    paid = [event for event in shop.events() if event["type"] == "invoice.paid"]
    await shop.send(paid)
    await shop.apply()
    for item, amount in ((1, 300), (2, 500)):
        shop.execute("SELECT _credits_reserve(%s, %s, %s)", ada.user_id, item, amount)
    shop.execute("SELECT _credits_settle(%s, 1, 300, 'Pictures')", ada.user_id)
    await shop.deliver()
    summary = await shop.summary(ada)
    assert (summary["balance"], summary["reserved"], summary["available"]) == (1000, 500, 500)
    assert shop.value("SELECT status FROM payments") == "disputed"
    assert shop.value("SELECT amount FROM credit_transactions WHERE transaction_type = 'refund'") == -200


@pytest.mark.parametrize("signed", [None, "t=1,v1=00", "t=99999999999,v1=" + "0" * 64, "nonsense", "v1=é"])
async def test_what_is_not_signed_is_not_kept(shop: Shop, signed: str | None) -> None:
    nobody = shop.api.nobody()
    headers: dict[str, Any] = {"stripe-signature": signed.encode()} if signed else {}
    for body in (b'{"id": "evt_1"}', b"\xff\xfe", b""):
        answer = await nobody.post("/api/v1/saas/stripe/webhook", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
    assert shop.value("SELECT count(*) FROM stripe_events") == 0


async def test_what_is_signed_and_no_event_is_refused(shop: Shop) -> None:

    nobody = shop.api.nobody()
    now = int(shop.stripe.account.clock())
    for body in (
        b"[]",
        b"null",
        b"{}",
        b'{"object": "event", "data": 1}',
        b'{"object": "event", "data": {"object": 1}}',
    ):
        headers = {"stripe-signature": signature(SECRET, body, now)}
        answer = await nobody.post("/api/v1/saas/stripe/webhook", content=body, headers=headers)
        assert answer.status_code == 400, body
    old = b'{"object": "event", "data": {"object": {}}}'
    headers = {"stripe-signature": signature(SECRET, old, now - 3600)}
    assert (await nobody.post("/api/v1/saas/stripe/webhook", content=old, headers=headers)).status_code == 400


async def test_texts_that_the_database_cannot_hold_are_kept_without_them(shop: Shop) -> None:
    event = {
        "id": "evt_1", "object": "event", "type": "customer.created", "created": 1_767_355_200,
        "data": {"object": {"name": "A\x00da \ud800", "list": ["\x00"]}},
    }  # fmt: skip
    await shop.send([event])
    assert shop.value("SELECT payload #>> '{data,object,name}' FROM stripe_events") == "Ada ?"


async def test_what_is_none_of_ours_is_ignored(shop: Shop) -> None:
    await asyncio.to_thread(shop.stripe.client.v1.products.create, {"name": "of another shop"})
    stranger = await asyncio.to_thread(
        shop.stripe.client.v1.customers.create, {"name": "Eve", "payment_method": "pm_card_visa"}
    )
    price = await asyncio.to_thread(
        shop.stripe.client.v1.prices.create,
        {"product": shop.stripe.account.store.all("product")[0]["id"], "currency": "usd", "unit_amount": 5,
         "recurring": {"interval": "month"}},
    )  # fmt: skip
    await asyncio.to_thread(
        shop.stripe.client.v1.subscriptions.create, {"customer": stranger.id, "items": [{"price": price.id}]}
    )
    assert await shop.deliver() > 5
    assert shop.rows("SELECT DISTINCT status FROM stripe_events") == [("ignored",)]


async def test_an_event_that_fails_is_tried_again_and_can_be_replayed(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    url = (await ada.post("/api/v1/billing/packs", json={"pack": "pack-1000"})).json()["url"]
    await asyncio.to_thread(shop.stripe.fill_in, url)
    paid = [event for event in shop.events() if event["type"] == "invoice.paid"]
    lost = shop.stripe.account.get("invoice", paid[0]["data"]["object"]["id"])
    price = lost["lines"]["data"][0]["pricing"]["price_details"]["price"]
    with shop.stripe.account.store.transaction():
        kept = shop.stripe.account.get("price", price)
        shop.stripe.account.store.remove(price)  # Stripe cannot answer
    await shop.send(paid)
    await shop.apply()
    status, attempts, error, waits = shop.rows(
        "SELECT status, attempts, error, due_at > now() FROM stripe_events"
    )[0]
    assert (status, attempts, waits) == ("waiting", 1, True)
    assert "No such price" in error
    with shop.stripe.account.store.transaction():
        shop.stripe.account.store.put(kept)
    assert await shop.apply() == 0

    assert replay(shop.database.owner, paid[0]["id"])
    assert not replay(shop.database.owner, "evt_nobody")
    assert shop.rows("SELECT actor, action, thing FROM audit_log") == [
        ("operator", "payment_event.replay", paid[0]["id"])
    ]
    assert await shop.apply() == 1
    assert (await shop.summary(ada))["balance"] == 1500


@pytest.mark.parametrize("role", [roles.API, roles.WORKER, roles.AUTH])
async def test_others_may_keep_events_at_most_and_grant_nothing(shop: Shop, role: str) -> None:
    ada = await shop.api.person("ada@example.com")
    forbidden = (
        "SELECT billing_apply_invoice('{u}', '{{}}')", "SELECT billing_sync_subscriptions('{u}', '[]')",
        "SELECT billing_take_back('x', 1, true)", "SELECT credits_grant('{u}', 1, 'pack', now(), now(), 'x', 'x')",
        "SELECT * FROM stripe_events", "UPDATE payments SET amount = 1",
        "INSERT INTO stripe_customers VALUES ('{u}', 'c')",
        "SELECT stripe_event_replay('x')", "SELECT queue_refresh_lanes('{u}')",
    )  # fmt: skip

    with psycopg.connect(shop.database.url(role), autocommit=True) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, false)", [str(ada.user_id)])
        for statement in forbidden:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.format(u=ada.user_id))
        if role != roles.API:
            return
        connection.execute("SELECT billing_set_customer('cus_1')")
        assert connection.execute("SELECT billing_set_customer('cus_2')").fetchone() == ("cus_1",)


async def test_without_payments_nothing_is_sold(
    settings: Settings, database: TestDatabase, tmp_path: Path
) -> None:

    async with running_api(settings) as api:
        ada = await api.person("ada@example.com")
        assert (await ada.post("/api/v1/billing/portal")).status_code == 503
        assert (await api.nobody().post("/api/v1/saas/stripe/webhook", content=b"{}")).status_code == 503
        assert (await ada.get("/api/v1/billing/invoices")).json() == []
