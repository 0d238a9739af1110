"""What staff decide, and what is sold: plans that were agreed on, prices that were changed, testers who buy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.admin.desk import Desk, open_desk
from tests.billing.shop import Shop

WHY = {"reason": "because the test says so"}
LATER = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()
AGREED = WHY | {"ends": LATER, "gpu_tier": "dedicated", "monthly_credits": 1000}


async def _desk(shop: Shop) -> Desk:
    return await open_desk(shop.api, shop.database)


async def test_who_has_an_agreed_plan_does_not_lose_it_by_buying_one(shop: Shop) -> None:
    desk, ada = await _desk(shop), await shop.api.person("ada@example.com")
    open_page = (await ada.post("/api/v1/billing/subscribe", json={"plan": "pro"})).json()["url"]
    assert (await desk.send(f"/admin/people/{ada.user_id}/plan", AGREED)).status_code == 303
    assert (await shop.pay(open_page)).status_code == 410
    answer = await ada.post("/api/v1/billing/subscribe", json={"plan": "pro"})
    assert (answer.status_code, answer.json()["code"]) == (409, "agreed_plan")
    await shop.buy(ada)  # packs they may
    summary = await shop.summary(ada)
    assert (summary["plan"]["name"], summary["balance"]) == ("Enterprise", 500 + 1000 + 1000)


async def test_the_scheduler_grants_the_months_of_an_agreed_plan(shop: Shop) -> None:
    desk, ada = await _desk(shop), await shop.api.person("ada@example.com")
    await desk.send(f"/admin/people/{ada.user_id}/plan", AGREED)
    desk.execute(
        "UPDATE user_subscriptions SET current_period_start = now() - interval '32 days' WHERE status = 'active'"
    )
    for _ in range(2):
        shop.inbox.grant_months()
    assert (await shop.summary(ada))["balance"] == 500 + 2 * 1000


async def test_a_plan_that_is_paid_for_stands_in_the_way(shop: Shop) -> None:
    desk, ada = await _desk(shop), await shop.api.person("ada@example.com")
    await shop.subscribe(ada)
    tester = WHY | {"ends": LATER, "key": str(uuid4())}
    for path, form in (("tester", tester), ("plan", AGREED)):
        assert (await desk.send(f"/admin/people/{ada.user_id}/{path}", form)).status_code == 409
    assert (await shop.summary(ada))["plan"]["slug"] == "starter"


async def test_a_tester_who_buys_has_what_they_bought(shop: Shop) -> None:
    desk, ada = await _desk(shop), await shop.api.person("ada@example.com")
    form = WHY | {"ends": LATER, "key": str(uuid4())}
    assert (await desk.send(f"/admin/people/{ada.user_id}/tester", form)).status_code == 303
    await shop.subscribe(ada)
    shop.inbox.sweep()
    summary = await shop.summary(ada)
    assert (summary["plan"]["slug"], summary["balance"]) == ("starter", 500 + 5000)


async def test_another_price_is_for_who_buys_from_then_on(shop: Shop) -> None:
    desk = await _desk(shop)
    ada, bob = [await shop.api.person(f"{name}@example.com") for name in ("ada", "bob")]
    await shop.subscribe(ada)
    ((plan,),) = desk.rows("SELECT id FROM subscription_plans WHERE slug = 'starter'")
    form = {
        "name": "Starter", "monthly_price": "30", "annual_price": "300", "monthly_credits": "5000", "is_active": "on",
        "gpu_tier": "basic", "max_queues": "1", "max_storage_gb": "20", "model_access": "sd",
        "node_editor_access": "on",
    }  # fmt: skip
    assert (await desk.send(f"/admin/plans/{plan}", WHY | form)).status_code == 303
    await shop.subscribe(bob)
    amounts = [shop.subscription(who)["items"]["data"][0]["price"]["unit_amount"] for who in (ada, bob)]
    assert amounts == [2500, 3000]
    assert (await shop.summary(bob))["plan"]["monthly_price"] == "30.00"
