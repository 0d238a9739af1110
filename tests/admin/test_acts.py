"""What staff do: what comes of it, that it is logged with its reason, and what is refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from invokeai_saas.billing.stripe.records import BillingRecords
from invokeai_saas.db import roles
from tests.admin.desk import STAFF, Desk
from tests.apps import PASSWORD, RunningApi, Subject
from tests.factories import insert
from tests.servers import TestDatabase

WHY = "because the test says so"
SOON = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
LATER = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()


async def _done(desk: Desk, path: str, **data: Any) -> None:
    answer = await desk.send(path, {"reason": WHY} | data)
    assert answer.status_code == 303, answer.text[-800:]
    assert "done=" in answer.headers["location"]
    await desk.page(answer.headers["location"])


async def _summary(person: Subject) -> dict[str, Any]:
    found: dict[str, Any] = (await person.get("/api/v1/account/summary")).json()
    return found


def _sweep(database: TestDatabase) -> int:
    records = BillingRecords(database.url(roles.BILLING))
    try:
        return records.end_testers(100)
    finally:
        records.close()


def _disagreements(desk: Desk) -> list[Any]:
    return desk.rows("SELECT * FROM credits_disagreements()")


async def test_given_credits_are_there_once_however_often_the_form_is_sent(
    api: RunningApi, desk: Desk
) -> None:
    ada = await api.person("ada@example.com")
    form = {"amount": 1234, "days": 10, "key": str(uuid4())}
    for _ in range(2):
        await _done(desk, f"/admin/people/{ada.user_id}/credits", **form)
    assert (await _summary(ada))["available"] == 500 + 1234
    assert desk.log() == [(STAFF, "credits.give", WHY)]
    ((details, person, address, request),) = desk.rows(
        "SELECT details, person_id, address, request_id FROM audit_log WHERE action = 'credits.give'"
    )
    assert (details, person, address) == ({"credits": 1234, "days": 10}, ada.user_id, "127.0.0.1")
    assert request
    page = await desk.page(f"/admin/people/{ada.user_id}")
    assert WHY in page
    assert "credits.give" in page
    assert _disagreements(desk) == []


async def test_a_tester_has_the_plan_to_the_grants_end(api: RunningApi, desk: Desk) -> None:
    ada = await api.person("ada@example.com")
    form = {"ends": SOON, "key": str(uuid4())}
    for _ in range(2):
        await _done(desk, f"/admin/people/{ada.user_id}/tester", **form)
    summary = await _summary(ada)
    assert (summary["plan"]["slug"], summary["status"]) == ("tester", "active")
    assert summary["available"] == 500 + 50_000
    assert summary["period_end"][:10] == (datetime.fromisoformat(SOON) + timedelta(days=1)).date().isoformat()
    assert desk.rows("SELECT source, valid_until::date::text FROM credits WHERE source = 'tester'") == [
        ("tester", summary["period_end"][:10])
    ]
    assert desk.rows("SELECT data ->> 'credits' FROM mail_outbox WHERE kind = 'tester_granted'") == [
        ("50000",)
    ]
    assert desk.log() == [(STAFF, "tester.grant", WHY)]
    again = await desk.send(
        f"/admin/people/{ada.user_id}/tester", {"reason": WHY, "ends": SOON, "key": str(uuid4())}
    )
    assert again.status_code == 409


async def test_two_clicks_at_once_grant_once(api: RunningApi, desk: Desk) -> None:
    ada = await api.person("ada@example.com")
    csrf, key = await desk.token(), str(uuid4())
    forms: list[tuple[str, dict[str, Any]]] = [
        ("credits", {"amount": 100, "days": 10, "key": key}),
        ("tester", {"ends": SOON, "key": key}),
        ("plan", {"ends": LATER, "gpu_tier": "dedicated", "monthly_credits": 1000}),
    ]
    answers = await asyncio.gather(
        *(
            desk.client.post(
                f"/admin/people/{ada.user_id}/{path}",
                data={"csrf": csrf, "reason": WHY} | data,
                headers={"origin": desk.origin},
            )
            for path, data in forms * 3
        )
    )
    assert {answer.status_code for answer in answers} <= {303, 409}
    grants = desk.rows("SELECT source, count(*) FROM credits GROUP BY source ORDER BY source")
    # Whichever of tester and agreed plan came first keeps the other out.
    assert grants in (
        [("adjustment", 1), ("subscription", 1), ("trial", 1)],
        [("adjustment", 1), ("tester", 1), ("trial", 1)],
    )
    assert desk.rows("SELECT count(*) FROM user_subscriptions WHERE status = 'active'") == [(1,)]
    assert _disagreements(desk) == []


async def test_a_revoked_grant_takes_the_plan_and_what_is_unspent(api: RunningApi, desk: Desk) -> None:
    ada = await api.person("ada@example.com")
    key = str(uuid4())
    await _done(desk, f"/admin/people/{ada.user_id}/tester", ends=SOON, key=key)
    assert "Revoke the tester plan" in await desk.page(f"/admin/people/{ada.user_id}")
    other = await api.person("bob@example.com")
    path = f"tester/{key}/revoke"
    assert (await desk.send(f"/admin/people/{other.user_id}/{path}", {"reason": WHY})).status_code == 404
    await _done(desk, f"/admin/people/{ada.user_id}/{path}")
    summary = await _summary(ada)
    assert (summary["plan"], summary["available"]) == (None, 500)
    assert (await desk.send(f"/admin/people/{ada.user_id}/{path}", {"reason": WHY})).status_code == 409
    assert [action for _, action, _ in desk.log()] == ["tester.grant", "tester.revoke"]
    assert desk.rows("SELECT revoke_reason, ended_at = revoked_at FROM tester_plan_grants") == [(WHY, True)]
    assert _disagreements(desk) == []
    await _done(desk, f"/admin/people/{ada.user_id}/tester", ends=SOON, key=str(uuid4()))
    assert (await _summary(ada))["plan"]["slug"] == "tester"


async def test_the_sweep_notices_a_grants_end(api: RunningApi, database: TestDatabase, desk: Desk) -> None:
    ada = await api.person("ada@example.com")
    await _done(desk, f"/admin/people/{ada.user_id}/tester", ends=SOON, key=str(uuid4()))
    assert _sweep(database) == 0
    desk.execute(
        "UPDATE tester_plan_grants SET starts_at = now() - interval '2 days', ends_at = now() - interval '1 hour'"
    )
    assert (_sweep(database), _sweep(database)) == (1, 0)
    assert desk.rows("SELECT status FROM user_subscriptions ORDER BY created_at DESC LIMIT 1") == [
        ("expired",)
    ]
    assert desk.log()[-1] == ("scheduler", "tester.end", "its time was over")


async def test_who_buys_while_a_tester_keeps_none_of_the_testers_credits(
    api: RunningApi, database: TestDatabase, desk: Desk
) -> None:
    ada = await api.person("ada@example.com")
    await _done(desk, f"/admin/people/{ada.user_id}/tester", ends=SOON, key=str(uuid4()))
    ((plan,),) = desk.rows("SELECT id FROM subscription_plans WHERE slug = 'pro'")
    now = datetime.now(UTC)
    with psycopg.connect(database.url(roles.BILLING), autocommit=True) as connection:
        connection.execute(
            "SELECT billing_sync_subscriptions(%s, jsonb_build_array(jsonb_build_object('id', 'sub_1', 'customer',"
            " 'cus_1', 'plan_id', %s::uuid, 'status', 'active', 'interval', 'month', 'start', %s::bigint, 'end',"
            " %s::bigint, 'cancel_at_period_end', false)))",
            [ada.user_id, plan, int(now.timestamp()), int(now.timestamp()) + 86_400 * 30],
        )
    assert (await _summary(ada))["plan"]["slug"] == "pro"
    assert _sweep(database) == 1
    summary = await _summary(ada)
    assert (summary["plan"]["slug"], summary["available"]) == ("pro", 500)
    assert desk.log()[-1] == ("scheduler", "tester.end", "another plan took its place")
    for path, data in (
        ("tester", {"ends": SOON, "key": str(uuid4())}),
        ("plan", {"ends": SOON, "gpu_tier": "dedicated"}),
    ):
        refused = await desk.send(f"/admin/people/{ada.user_id}/{path}", {"reason": WHY} | data)
        assert refused.status_code == 409
        assert "pays for a plan" in refused.text
    assert (await _summary(ada))["plan"]["slug"] == "pro"


async def test_an_enterprise_customer_has_figures_of_their_own(
    api: RunningApi, database: TestDatabase, desk: Desk
) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    path = f"/admin/people/{ada.user_id}/plan"
    form = {"ends": LATER, "gpu_tier": "dedicated", "monthly_credits": 200_000, "monthly_price": "4999.50"}
    await _done(desk, path, **form, max_queues="", max_storage_gb="2000")
    plan = (await _summary(ada))["plan"]
    assert (plan["max_queues"], plan["max_storage_gb"], plan["monthly_price"]) == (None, 2000, "4999.50")
    assert (plan["collaboration"], plan["model_access"]) == (True, ["sd", "flux", "custom"])
    assert (await _summary(ada))["available"] == 500 + 200_000
    await _done(desk, path, **form, max_queues="8", max_storage_gb="")
    summary = await _summary(ada)
    assert (summary["plan"]["max_queues"], summary["plan"]["max_storage_gb"]) == (8, None)
    assert summary["available"] == 500 + 200_000  # the month's are given once
    ((details,),) = desk.rows("SELECT details FROM audit_log ORDER BY id DESC LIMIT 1")
    assert details["max_queues"] == [None, 8]
    assert plan["slug"] not in {
        offered["slug"] for offered in (await api.nobody().get("/api/v1/plans")).json()
    }
    with psycopg.connect(database.url(roles.API)) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(bob.user_id)])
        seen = connection.execute("SELECT count(*) FROM subscription_plans WHERE customer_id IS NOT NULL")
        assert seen.fetchone() == (0,)
    refused = await desk.send(
        f"/admin/people/{ada.user_id}/tester", {"reason": WHY, "ends": SOON, "key": str(uuid4())}
    )
    assert refused.status_code == 409
    await _done(desk, f"{path}/end")
    assert (await _summary(ada))["plan"] is None
    assert (await desk.send(f"{path}/end", {"reason": WHY})).status_code == 409


async def test_an_agreed_plans_credits_come_with_each_month(
    api: RunningApi, database: TestDatabase, desk: Desk
) -> None:
    ada = await api.person("ada@example.com")
    await _done(
        desk, f"/admin/people/{ada.user_id}/plan", ends=LATER, gpu_tier="dedicated", monthly_credits=1000
    )
    desk.execute(
        "UPDATE user_subscriptions SET current_period_start = now() - interval '32 days' WHERE status = 'active'"
    )
    with psycopg.connect(database.url(roles.BILLING), autocommit=True) as connection:
        given = [connection.execute("SELECT billing_grant_agreed(NULL, 10)").fetchone() for _ in range(2)]
    assert given == [(1,), (0,)]
    assert (await _summary(ada))["available"] == 500 + 2000  # the first month's was given 32 days too late
    assert _disagreements(desk) == []


async def test_a_blocked_person_is_out_at_once(api: RunningApi, database: TestDatabase, desk: Desk) -> None:
    ada = await api.person("ada@example.com")
    job = _job(database, ada.user_id)
    await _done(desk, f"/admin/people/{ada.user_id}/block")
    assert (await ada.get("/api/v1/auth/me")).status_code == 401
    log_in = {"email": "ada@example.com", "password": PASSWORD}
    assert (await api.nobody().post("/api/v1/auth/login", json=log_in)).status_code == 401
    assert desk.rows("SELECT status FROM session_queue WHERE item_id = %s", job) == [("canceled",)]
    assert (await desk.send(f"/admin/people/{ada.user_id}/block", {"reason": WHY})).status_code == 409
    await _done(desk, f"/admin/people/{ada.user_id}/unblock")
    assert (await api.nobody().post("/api/v1/auth/login", json=log_in)).status_code == 200
    assert (await desk.send(f"/admin/people/{ada.user_id}/unblock", {"reason": WHY})).status_code == 409
    assert [action for _, action, _ in desk.log()] == ["account.block", "account.unblock"]


async def test_staff_do_not_block_each_other(desk: Desk) -> None:
    ((staff,),) = desk.rows("SELECT id FROM users WHERE email = %s", STAFF)
    assert (await desk.send(f"/admin/people/{staff}/block", {"reason": WHY})).status_code == 409
    await desk.page("/admin/people")


def _job(database: TestDatabase, user_id: UUID | None) -> int:
    item, batch = 4711, uuid4()
    with psycopg.connect(database.owner) as connection:
        insert(connection, "job_batches", user_id=user_id, batch_id=batch, graph={"nodes": {}})
        insert(
            connection, "session_queue", user_id=user_id, item_id=item, batch_id=batch, session_id=uuid4(),
            tier="basic", estimate=5, name_key=b"k" * 32, field_values={"prompt": "a secret garden"},
        )  # fmt: skip
        connection.execute("SELECT _credits_lock(%s)", [user_id])
        connection.execute("SELECT _credits_reserve(%s, %s, 5)", [user_id, item])
        connection.execute("SELECT _queue_join_lane('basic', %s, 1, 1)", [user_id])
    return item


async def test_a_job_is_cancelled_and_costs_nothing(
    api: RunningApi, database: TestDatabase, desk: Desk
) -> None:
    ada = await api.person("ada@example.com")
    item = _job(database, ada.user_id)
    page = await desk.page("/admin/jobs?state=waiting")
    assert str(item) in page
    assert "secret garden" not in page
    await _done(desk, f"/admin/jobs/{item}/cancel")
    assert (await _summary(ada))["available"] == 500
    assert (await desk.send(f"/admin/jobs/{item}/cancel", {"reason": WHY})).status_code == 409
    assert (await desk.send("/admin/jobs/1/cancel", {"reason": WHY})).status_code == 404
    assert desk.log() == [(STAFF, "job.cancel", WHY)]
    assert _disagreements(desk) == []


PLAN = {
    "name": "Starter", "monthly_price": "25", "annual_price": "250", "monthly_credits": "5000", "gpu_tier": "basic",
    "max_queues": "1", "max_storage_gb": "20", "trial_days": "", "model_access": ["sd"], "node_editor_access": "on",
    "is_active": "on",
}  # fmt: skip


async def test_plans_are_edited_as_rows(api: RunningApi, desk: Desk) -> None:
    ((plan,),) = desk.rows("SELECT id FROM subscription_plans WHERE slug = 'starter'")
    assert (await desk.send(f"/admin/plans/{plan}", {"reason": WHY} | PLAN)).status_code == 409  # no change
    await _done(
        desk, f"/admin/plans/{plan}",
        **PLAN | {"monthly_price": "27.50", "max_storage_gb": "", "model_access": ["sd", "flux"]},
    )  # fmt: skip
    offered = {one["slug"]: one for one in (await api.nobody().get("/api/v1/plans")).json()}["starter"]
    assert (offered["monthly_price"], offered["max_storage_gb"]) == ("27.50", None)
    assert offered["model_access"] == ["sd", "flux"]
    ((thing, details),) = desk.rows("SELECT thing, details FROM audit_log WHERE action = 'plan.edit'")
    assert thing == "starter"
    assert details == {
        "monthly_price": [25.0, 27.5], "max_storage_gb": [20, None], "model_access": [["sd"], ["sd", "flux"]],
    }  # fmt: skip
    for change in ({"monthly_price": "-1"}, {"gpu_tier": "none"}, {"name": ""}, {"max_queues": "0"}):
        answer = await desk.send(f"/admin/plans/{plan}", {"reason": WHY} | PLAN | change)
        assert answer.status_code == 422, change
    assert (await desk.send(f"/admin/plans/{uuid4()}", {"reason": WHY} | PLAN)).status_code == 404


async def test_another_tier_moves_what_waits(api: RunningApi, database: TestDatabase, desk: Desk) -> None:
    ada = await api.person("ada@example.com")
    item = _job(database, ada.user_id)
    ((plan,),) = desk.rows("SELECT id FROM subscription_plans WHERE slug = 'trial'")
    trial = PLAN | {"name": "Trial", "monthly_price": "0", "annual_price": "", "monthly_credits": "500",
                    "trial_days": "7", "gpu_tier": "high_performance"}  # fmt: skip
    await _done(desk, f"/admin/plans/{plan}", **trial)
    assert desk.rows("SELECT tier FROM session_queue WHERE item_id = %s", item) == [("high_performance",)]


async def test_packs_are_edited_as_rows(api: RunningApi, desk: Desk) -> None:
    form = {"name": "1,000 credits", "credits": 1000, "price": "5", "valid_days": 60, "is_active": "on"}
    assert (await desk.send("/admin/packs/pack-1000", {"reason": WHY} | form)).status_code == 409
    await _done(desk, "/admin/packs/pack-1000", **form | {"price": "6", "valid_days": 90})
    pack = {one["slug"]: one for one in (await api.nobody().get("/api/v1/packs")).json()}["pack-1000"]
    assert (pack["price"], pack["valid_days"]) == ("6.00", 90)
    assert (await desk.send("/admin/packs/none", {"reason": WHY} | form)).status_code == 404


async def test_an_event_is_replayed(desk: Desk) -> None:
    desk.execute(
        "INSERT INTO stripe_events (id, type, payload, status, attempts, created_at)"
        " VALUES ('evt_1', 'invoice.paid', '{}', 'failed', 20, now())"
    )
    assert "evt_1" in await desk.page("/admin/webhooks?status=failed")
    await _done(desk, "/admin/webhooks/evt_1/replay")
    assert desk.rows("SELECT status, attempts FROM stripe_events") == [("waiting", 0)]
    assert (await desk.send("/admin/webhooks/evt_2/replay", {"reason": WHY})).status_code == 404
    assert desk.log() == [(STAFF, "payment_event.replay", WHY)]


@pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 1001])
async def test_nothing_is_done_without_a_reason(api: RunningApi, desk: Desk, reason: str) -> None:
    ada = await api.person("ada@example.com")
    form = {"amount": 10, "days": 10, "key": str(uuid4()), "reason": reason}
    assert (await desk.send(f"/admin/people/{ada.user_id}/credits", form)).status_code == 422
    assert (await _summary(ada))["available"] == 500
    assert desk.log() == []


def test_the_log_is_never_changed(database: TestDatabase) -> None:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute("SELECT audit_operator('a.b', NULL, 'thing', 't', '', '{}')")
        for statement in (
            "UPDATE audit_log SET reason = 'other'",
            "DELETE FROM audit_log",
            "TRUNCATE audit_log",
        ):
            with pytest.raises(psycopg.errors.RestrictViolation):
                connection.execute(statement)


def test_an_act_without_a_live_session_changes_nothing(database: TestDatabase) -> None:
    """The functions ask for themselves, whatever calls them."""
    from tests.factories import make_person

    person = make_person(database)
    with psycopg.connect(database.url(roles.STAFF), autocommit=True) as connection:
        for statement in (
            "SELECT staff_give_credits(%s, 10, 10, 'why not', gen_random_uuid())",
            "SELECT staff_grant_tester(%s, now() + interval '1 day', 'why not', gen_random_uuid())",
            "SELECT staff_block(%s, 'why not')",
        ):
            with pytest.raises(psycopg.Error) as refused:
                connection.execute(statement, [person])
            assert refused.value.sqlstate == "SC401"
    with psycopg.connect(database.owner) as connection:
        assert connection.execute("SELECT count(*) FROM audit_log").fetchone() == (0,)
        assert connection.execute("SELECT sum(total_credits) FROM credits").fetchone() == (500,)
        assert connection.execute("SELECT is_active FROM users").fetchone() == (True,)
