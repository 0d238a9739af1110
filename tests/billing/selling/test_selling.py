"""What people buy, change and end, through the API and Stripe's pages, and what they have then."""

from __future__ import annotations

import asyncio

import pytest

from tests.billing.shop import DAY, Shop
from tests.money import violations
from tests.stripe_server import DECLINED, FAILS_LATER, GOOD


async def test_packs_are_rows_and_public(shop: Shop) -> None:
    shop.execute("UPDATE credit_packs SET is_active = false WHERE slug = 'pack-5000'")
    packs = (await shop.api.nobody().get("/api/v1/packs")).json()
    assert [(pack["slug"], pack["credits"], pack["price"], pack["valid_days"]) for pack in packs] == [
        ("pack-1000", 1000, "5.00", 60),
        ("pack-15000", 15000, "75.00", 60),
    ]


async def test_a_trial_becomes_a_plan(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    summary = await shop.summary(ada)
    assert (summary["plan"]["slug"], summary["status"], summary["balance"]) == ("starter", "active", 5500)
    assert {grant["source"]: grant["amount"] for grant in summary["expires"]} == {
        "trial": 500,
        "subscription": 5000,
    }
    invoices = (await ada.get("/api/v1/billing/invoices")).json()
    assert [(i["status"], i["amount"], i["amount_paid"]) for i in invoices] == [("paid", "25.00", "25.00")]
    assert shop.rows("SELECT status, count(*) FROM user_subscriptions GROUP BY status ORDER BY status") == [
        ("active", 1),
        ("canceled", 1),
    ]
    assert violations(shop.database) == {}


async def test_a_pack_is_valid_for_60_days(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.buy(ada)
    days = shop.value(
        "SELECT extract(epoch FROM valid_until - valid_from) FROM credits WHERE source = 'pack'"
    )
    assert int(days) == 60 * DAY
    assert (await shop.summary(ada))["balance"] == 1500
    assert (await shop.summary(ada))["plan"]["slug"] == "trial"


async def test_a_card_that_is_declined_leads_to_nothing(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    url = (await ada.post("/api/v1/billing/subscribe", json={"plan": "pro"})).json()["url"]
    assert (await shop.pay(url, DECLINED)).status_code == 402
    assert (await shop.summary(ada))["plan"]["slug"] == "trial"
    assert (await shop.pay(url, GOOD)).status_code == 303
    assert (await shop.summary(ada))["plan"]["slug"] == "pro"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"plan": "trial"}, 422),
        ({"plan": "tester"}, 422),
        ({"plan": "nothing"}, 422),
        ({"plan": "enterprise"}, 403),
        ({"plan": "pro", "interval": "week"}, 422),
        ({"plan": "pro\x00"}, 422),
        ({"plan": 5}, 422),
        ({}, 422),
    ],
)
async def test_what_is_not_sold_is_refused(shop: Shop, body: dict[str, object], status: int) -> None:
    ada = await shop.api.person("ada@example.com")
    answer = await ada.post("/api/v1/billing/subscribe", json=body)
    assert answer.status_code == status, answer.text


async def test_who_has_a_plan_does_not_buy_another(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    answer = await ada.post("/api/v1/billing/subscribe", json={"plan": "pro"})
    assert (answer.status_code, answer.json()["code"]) == (409, "already_subscribed")


async def test_an_older_page_can_no_longer_be_paid(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    first = (await ada.post("/api/v1/billing/subscribe", json={"plan": "pro"})).json()["url"]
    await shop.subscribe(ada)
    assert (await shop.pay(first)).status_code == 410


async def test_an_upgrade_is_paid_and_there_at_once(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    clock = shop.on_a_clock(ada)
    item = shop.subscription(ada)["items"]["data"][0]
    shop.pass_time(clock, (item["current_period_end"] - item["current_period_start"]) // 2)
    preview = (await ada.post("/api/v1/billing/change/preview", json={"plan": "pro"})).json()
    assert preview["when"] == "now"
    assert float(preview["due_now"]) == pytest.approx(25, abs=0.01)
    state = (await ada.post("/api/v1/billing/change", json={"plan": "pro"})).json()
    assert (state["plan"], state["status"]) == ("pro", "active")
    await shop.deliver()
    assert (await shop.summary(ada))["plan"]["slug"] == "pro"
    upgrade = shop.value(
        "SELECT max(amount) FROM credit_transactions WHERE description LIKE 'Remaining time%%'"
    )
    assert upgrade == pytest.approx(5000, abs=5)
    assert violations(shop.database) == {}


async def test_two_clicks_pay_once(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    answers = await asyncio.gather(
        *(ada.post("/api/v1/billing/change", json={"plan": "pro"}) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    await shop.deliver()
    assert shop.value("SELECT count(*) FROM payments") == 2
    assert shop.value("SELECT sum(amount) FROM payments") <= 75


async def test_an_upgrade_that_is_declined_changes_nothing(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    portal = (await ada.post("/api/v1/billing/portal")).json()["url"]
    await asyncio.to_thread(shop.stripe.fill_in, portal, FAILS_LATER, act="card")
    answer = await ada.post("/api/v1/billing/change", json={"plan": "pro"})
    assert (answer.status_code, answer.json()["code"]) == (402, "card_declined")
    await shop.deliver()
    assert (await shop.summary(ada))["plan"]["slug"] == "starter"
    await asyncio.to_thread(shop.stripe.fill_in, portal, GOOD, act="card")
    assert (await ada.post("/api/v1/billing/change", json={"plan": "pro"})).status_code == 200


async def test_a_downgrade_waits_for_the_periods_end(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada, "pro")
    clock = shop.on_a_clock(ada)
    preview = (await ada.post("/api/v1/billing/change/preview", json={"plan": "starter"})).json()
    assert (preview["when"], float(preview["due_now"])) == ("period_end", 0)
    state = (await ada.post("/api/v1/billing/change", json={"plan": "starter"})).json()
    assert (state["plan"], state["next_plan"], state["next_interval"]) == ("pro", "starter", "month")
    await shop.deliver()
    summary = await shop.summary(ada)
    assert (summary["plan"]["slug"], summary["next_plan"], summary["billing_interval"]) == (
        "pro",
        "starter",
        "month",
    )
    assert (
        shop.value(
            "SELECT p.slug FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.next_plan_id"
        )
        == "starter"
    )
    shop.pass_time(clock, 31 * DAY)
    await shop.deliver()
    found = shop.rows(
        "SELECT p.slug, s.next_plan_id FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.plan_id"
        " WHERE s.status = 'active'"
    )
    assert found == [("starter", None)]
    assert shop.rows("SELECT amount FROM payments ORDER BY created_at") == [(75,), (25,)]


async def test_a_downgrade_can_be_taken_back(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada, "pro")
    await ada.post("/api/v1/billing/change", json={"plan": "starter"})
    state = (await ada.post("/api/v1/billing/reactivate")).json()
    assert (state["next_plan"], state["cancel_at_period_end"]) == (None, False)
    await ada.post("/api/v1/billing/change", json={"plan": "starter"})
    assert (await ada.post("/api/v1/billing/change", json={"plan": "studio"})).json()["plan"] == "studio"


async def test_cancelled_reactivated_and_ended(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    clock = shop.on_a_clock(ada)
    await ada.post("/api/v1/billing/change", json={"plan": "pro", "interval": "year"})
    await ada.post("/api/v1/billing/change", json={"plan": "starter"})
    assert (await ada.post("/api/v1/billing/cancel")).json()["cancel_at_period_end"] is True
    await shop.deliver()
    assert (await shop.summary(ada))["cancel_at_period_end"] is True
    assert (await ada.post("/api/v1/billing/reactivate")).json()["cancel_at_period_end"] is False
    await ada.post("/api/v1/billing/cancel")
    shop.pass_time(clock, 366 * DAY)
    await shop.deliver()
    summary = await shop.summary(ada)
    assert summary["plan"] is None
    answer = await ada.post("/api/v1/billing/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_subscription")
    await shop.subscribe(ada, "pro")  # and is welcome again
    assert (await shop.summary(ada))["plan"]["slug"] == "pro"


async def test_a_year_costs_ten_months_and_is_granted_by_the_month(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada, "pro", "year")
    assert shop.value("SELECT amount FROM payments") == 750
    assert (await shop.summary(ada))["balance"] == 15500
    shop.inbox.grant_months()
    assert (await shop.summary(ada))["balance"] == 15500
    for table, columns in (
        ("payments", "period_start = period_start - interval '40 days'"),
        ("user_subscriptions", "current_period_start = current_period_start - interval '40 days'"),
    ):
        shop.execute(f"UPDATE {table} SET {columns}")
    for _ in range(2):
        shop.inbox.grant_months()
    amounts = shop.rows(
        "SELECT amount FROM credit_transactions WHERE transaction_type = 'grant' ORDER BY created_at"
    )
    assert amounts == [(500,), (15000,), (15000,)]
    assert violations(shop.database) == {}


async def test_a_plans_new_price_is_for_new_people(shop: Shop) -> None:
    ada, bob = await shop.api.person("ada@example.com"), await shop.api.person("bob@example.com")
    await shop.subscribe(ada)
    shop.execute("UPDATE subscription_plans SET monthly_price = 30 WHERE slug = 'starter'")
    await shop.subscribe(bob)
    assert shop.rows("SELECT amount FROM payments ORDER BY created_at, amount") == [(25,), (30,)]
    assert {(await shop.summary(person))["plan"]["slug"] for person in (ada, bob)} == {"starter"}
    assert len({price["id"] for price in shop.stripe.account.store.all("price")}) == 2


async def test_a_second_subscription_is_undone_and_paid_back(shop: Shop) -> None:
    """Begun beside ours, for instance by hand: a person never pays for two plans."""
    ada = await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    second = shop.subscription(ada)
    method = shop.stripe.account.store.all("payment_method")[0]["id"]
    await asyncio.to_thread(
        shop.stripe.client.v1.subscriptions.create,
        {"customer": second["customer"], "items": [{"price": second["items"]["data"][0]["price"]["id"]}],
         "default_payment_method": method},
    )  # fmt: skip
    await shop.deliver()
    await shop.deliver()
    assert (await shop.summary(ada))["balance"] == 5500
    assert shop.rows("SELECT status, refunded FROM payments ORDER BY status") == [
        ("paid", 0),
        ("refunded", 25),
    ]
    assert shop.value("SELECT count(*) FROM user_subscriptions WHERE status = 'active'") == 1
    assert violations(shop.database) == {}


async def test_each_sees_their_own_invoices(shop: Shop) -> None:
    ada, bob = await shop.api.person("ada@example.com"), await shop.api.person("bob@example.com")
    await shop.buy(ada)
    assert len((await ada.get("/api/v1/billing/invoices")).json()) == 1
    assert (await bob.get("/api/v1/billing/invoices")).json() == []
    answer = await bob.post("/api/v1/billing/portal")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_customer")
    for path in ("subscribe", "packs", "portal", "change", "change/preview", "cancel", "reactivate"):
        assert (
            await shop.api.nobody().post(f"/api/v1/billing/{path}", json={"plan": "pro"})
        ).status_code == 401


async def test_while_stripe_is_away(shop: Shop) -> None:
    ada = await shop.api.person("ada@example.com")
    there = shop.api.services.stripe
    assert there is not None
    there._requestor._options.base_addresses["api"] = "http://127.0.0.1:9"
    there._requestor._options.max_network_retries = 0
    answer = await ada.post("/api/v1/billing/subscribe", json={"plan": "pro"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
