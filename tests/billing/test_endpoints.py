"""Plans for everybody, and the account of the one who asks."""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg

from tests.apps import RunningApi
from tests.servers import TestDatabase


async def test_plans_are_public_and_internal_ones_are_not_offered(api: RunningApi) -> None:
    answer = await api.nobody().get("/api/v1/plans")
    assert answer.status_code == 200
    plans = {plan["slug"]: plan for plan in answer.json()}
    assert list(plans) == ["trial", "starter", "pro", "studio", "enterprise"]
    assert (plans["trial"]["trial_days"], plans["trial"]["monthly_credits"]) == (7, 500)
    assert plans["pro"]["monthly_price"] == "75.00"
    assert plans["enterprise"]["monthly_price"] is None


async def test_plans_are_rows(api: RunningApi, database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET monthly_credits = 750 WHERE slug = 'trial'")
        connection.execute("UPDATE subscription_plans SET is_active = false WHERE slug = 'studio'")
    plans = {plan["slug"]: plan for plan in (await api.nobody().get("/api/v1/plans")).json()}
    assert plans["trial"]["monthly_credits"] == 750
    assert "studio" not in plans


async def test_the_summary_of_a_new_person(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    summary = (await ada.get("/api/v1/account/summary")).json()
    assert summary["plan"]["slug"] == "trial"
    assert summary["plan"]["model_access"] == ["sd"]
    assert summary["status"] == "trialing"
    assert summary["period_end"] == summary["trial_end"]
    assert (summary["balance"], summary["reserved"], summary["available"]) == (500, 0, 500)
    assert summary["expires"] == [{"source": "trial", "amount": 500, "valid_until": summary["trial_end"]}]


async def test_the_summary_counts_what_a_job_holds_and_uses(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    with psycopg.connect(database.owner) as connection:
        for item, amount in ((1, 30), (2, 12)):
            connection.execute("SELECT _credits_reserve(%s, %s, %s)", [ada.user_id, item, amount])
        connection.execute("SELECT _credits_settle(%s, 1, 7, 'A picture')", [ada.user_id])
    summary = (await ada.get("/api/v1/account/summary")).json()
    assert (summary["balance"], summary["reserved"], summary["available"]) == (493, 12, 481)
    assert [grant["amount"] for grant in summary["expires"]] == [493]


async def test_a_plan_that_has_ended_is_no_plan(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    with psycopg.connect(database.url()) as connection:
        connection.execute("SET session_replication_role = replica")  # a grant's beginning is never changed
        for table, start, end in (
            ("user_subscriptions", "current_period_start", "current_period_end"),
            ("credits", "valid_from", "valid_until"),
        ):
            connection.execute(
                psycopg.sql.SQL(
                    "UPDATE {} SET {} = now() - interval '8 days', {} = now() - interval '1 s'"
                ).format(*map(psycopg.sql.Identifier, (table, start, end)))
            )
    summary = (await ada.get("/api/v1/account/summary")).json()
    assert (summary["plan"], summary["status"], summary["period_end"]) == (None, None, None)
    # The ledger still holds what the sweep has not written off yet, but nothing of it can be spent.
    assert (summary["balance"], summary["available"], summary["expires"]) == (500, 0, [])
    with psycopg.connect(database.owner) as connection:
        connection.execute("SELECT credits_expire(10)")
    assert (await ada.get("/api/v1/account/summary")).json()["balance"] == 0


async def test_each_sees_their_own_account_and_nobody_sees_one(
    api: RunningApi, database: TestDatabase
) -> None:
    ada = await api.person("ada@example.com")
    bob = await api.person("bob@example.com")
    with psycopg.connect(database.owner) as connection:
        until = datetime.now().astimezone() + timedelta(days=60)
        connection.execute(
            "SELECT credits_grant(%s, 1000, 'pack', now(), %s, 'pack:1', 'A pack')", [ada.user_id, until]
        )
    assert (await ada.get("/api/v1/account/summary")).json()["balance"] == 1500
    assert (await bob.get("/api/v1/account/summary")).json()["balance"] == 500
    refused = await api.nobody().get("/api/v1/account/summary")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
