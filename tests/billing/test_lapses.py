"""Plans that end, data that is kept for a while, and jobs that wait while a plan changes."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest

from invokeai_saas.billing.stripe.records import BillingRecords
from invokeai_saas.db import roles
from invokeai_saas.queue.claims import Claims
from tests.apps import RunningApi, Subject
from tests.factories import make_person
from tests.graphs import add_model, batch_body, picture_graph
from tests.money import violations
from tests.queue.test_claims import queue_jobs
from tests.servers import TestDatabase


@pytest.fixture
def records(database: TestDatabase) -> Iterator[BillingRecords]:
    opened = BillingRecords(database.url(roles.BILLING))
    yield opened
    opened.close()


def _query(database: TestDatabase, query: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(database.owner) as connection:
        found = connection.execute(query, list(values))
        return found.fetchall() if found.description else []


def _trial_ended(database: TestDatabase, days: int) -> None:
    """As if it had ended so many days ago."""
    _query(
        database,
        "UPDATE user_subscriptions SET current_period_start = now() - make_interval(days => %s + 7),"
        " current_period_end = now() - make_interval(days => %s), trial_end = now() - make_interval(days => %s)",
        days, days, days,
    )  # fmt: skip


async def _generate(database: TestDatabase, person: Subject) -> int:
    model = add_model(database)
    answer = await person.post(
        "/api/v1/queue/default/enqueue_batch", json=batch_body(picture_graph(key=model["key"]))
    )
    return answer.status_code


async def test_after_a_trial_nothing_is_made_and_everything_can_be_read(
    api: RunningApi, database: TestDatabase, records: BillingRecords
) -> None:
    ada = await api.person("ada@example.com")
    _trial_ended(database, 1)
    assert records.sweep(30) == 0
    assert await _generate(database, ada) == 403
    assert (await ada.get("/api/v1/images/")).status_code == 200
    assert _query(database, "SELECT status FROM user_subscriptions") == [("expired",)]
    summary = (await ada.get("/api/v1/account/summary")).json()
    assert summary["plan"] is None
    assert summary["delete_after"] is not None
    ((kept, marked),) = _query(
        database, "SELECT extract(day FROM delete_after - since)::integer, marked_at FROM account_lapses"
    )
    assert (kept, marked) == (30, None)


def _warned(database: TestDatabase, which: int, days: float, state: str = "sent") -> None:
    """As if a warning had gone out so many days ago, or been written then."""
    _query(
        database,
        "INSERT INTO mail_outbox (user_id, kind, key, data, state, created_at, sent_at)"
        " SELECT user_id, 'deletion_warning', id || ':' || %s, '{}', %s, now() - make_interval(secs => %s * 86400),"
        " CASE WHEN %s = 'sent' THEN now() - make_interval(secs => %s * 86400) END FROM account_lapses",
        which, state, days, state, days,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "begins"),
    [
        (None, None, False),
        ((8, "sent"), None, False),
        ((8, "waiting"), (2, "sent"), False),  # written, and never sent
        ((8, "sent"), (0.9, "sent"), False),
        ((6.9, "sent"), (2, "sent"), False),
        ((8, "sent"), (1.1, "sent"), True),
        ((8, "failed"), (1.1, "sent"), True),  # there is no such address
    ],
)
def test_deletion_begins_after_thirty_days_and_both_warnings(
    database: TestDatabase,
    records: BillingRecords,
    first: tuple[float, str] | None,
    second: tuple[float, str] | None,
    begins: bool,
) -> None:
    ada = make_person(database)
    _trial_ended(database, 40)
    assert records.sweep(30) == 0
    for which, warning in ((7, first), (1, second)):
        if warning:
            _warned(database, which, *warning)
    assert records.sweep(30) == int(begins)
    assert records.sweep(30) == 0
    expected = [(ada, "lapsed")] if begins else []
    assert _query(database, "SELECT user_id, reason FROM account_deletions") == expected


@pytest.mark.parametrize("plan", ["pro", "tester"])
def test_after_a_plan_that_was_paid_for_or_given_it_is_the_same(
    database: TestDatabase, records: BillingRecords, plan: str
) -> None:
    ada = make_person(database)
    _trial_ended(database, 60)
    _query(
        database,
        "INSERT INTO user_subscriptions (user_id, plan_id, status, current_period_start, current_period_end)"
        " SELECT %s, id, 'canceled', now() - interval '50 days', now() - interval '10 days'"
        " FROM subscription_plans WHERE slug = %s",
        ada, plan,
    )  # fmt: skip
    records.sweep(30)
    ((days,),) = _query(
        database, "SELECT round(extract(epoch FROM billing_deletion_at(%s) - now()) / 86400)::integer", ada
    )
    assert days == 20


def test_a_pack_is_kept_for_as_long_as_it_can_be_used(
    database: TestDatabase, records: BillingRecords
) -> None:
    ada = make_person(database)
    _trial_ended(database, 60)
    _query(
        database,
        "SELECT credits_grant(%s, 1000, 'pack', now() - interval '1 day', now() + interval '59 days', 'p', 'Pack')",
        ada,
    )
    records.sweep(30)
    assert _query(database, "SELECT * FROM account_lapses") == []
    with psycopg.connect(database.url()) as connection:  # as if its time were over
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE credits SET valid_from = now() - interval '65 days', valid_until = now() - interval '5 days'"
            " WHERE source = 'pack'"
        )
    records.sweep(30)
    assert _query(database, "SELECT extract(day FROM delete_after - now())::integer FROM account_lapses") == [
        (24,)
    ]


def test_who_pays_in_time_is_kept_and_warned_anew_the_next_time(
    database: TestDatabase, records: BillingRecords
) -> None:
    ada = make_person(database)
    _trial_ended(database, 40)
    records.sweep(30)
    _warned(database, 7, 8)
    _warned(database, 1, 2)
    _query(
        database,
        "UPDATE user_subscriptions SET status = 'active', current_period_end = now() + interval '1 h'",
    )
    assert records.sweep(30) == 0
    assert _query(database, "SELECT billing_deletion_at(%s)", ada) == [(None,)]
    _trial_ended(database, 40)
    assert records.sweep(30) == 0  # the warnings of before are none of this time's
    ((days,),) = _query(database, "SELECT extract(epoch FROM billing_deletion_at(%s) - now()) / 86400", ada)
    assert float(str(days)) == pytest.approx(7)


def test_staff_are_not_deleted(database: TestDatabase, records: BillingRecords) -> None:
    ada = make_person(database)
    _query(database, "UPDATE users SET role = 'admin' WHERE id = %s", ada)
    _trial_ended(database, 400)
    records.sweep(30)
    assert _query(database, "SELECT * FROM account_lapses") == []


def test_a_running_trial_is_left_alone(database: TestDatabase, records: BillingRecords) -> None:
    make_person(database)
    _query(
        database, "UPDATE user_subscriptions SET status = 'trialing', trial_end = now() + interval '1 day'"
    )
    records.sweep(30)
    assert _query(database, "SELECT status FROM user_subscriptions") == [("trialing",)]
    assert _query(database, "SELECT * FROM account_lapses") == []


def _upgrade(database: TestDatabase, person: UUID, plan: str) -> int:
    _query(
        database,
        "UPDATE user_subscriptions s SET plan_id = p.id FROM subscription_plans p WHERE p.slug = %s AND user_id = %s",
        plan, person,
    )  # fmt: skip
    return int(str(_query(database, "SELECT queue_refresh_lanes(%s)", person)[0][0]))


def _lanes(database: TestDatabase) -> list[tuple[object, ...]]:
    return _query(database, "SELECT tier, pending, running, max_running FROM queue_lanes ORDER BY tier")


def _claim(claims: Claims, tier: str) -> int | None:
    found = claims.claim(tier, "w", [], 60, 0, 3600)
    return found.item_id if found else None


def test_waiting_jobs_follow_an_upgrade_and_running_ones_stay(database: TestDatabase) -> None:
    ada = make_person(database, plan="starter")
    items = queue_jobs(database, ada, 5)
    claims = Claims(database.url(roles.WORKER))
    running = claims.claim("basic", "w", [], 60, 0, 3600)
    assert running is not None and running.item_id == items[0]
    assert _upgrade(database, ada, "studio") == 4
    assert _lanes(database) == [("basic", 0, 1, 1), ("high_performance", 4, 0, 3)]
    assert _claim(claims, "basic") is None
    assert [_claim(claims, "high_performance") for _ in range(4)] == [*items[1:4], None]  # three at once
    assert violations(database) == {}
    assert claims.finish(running.attempt_id, "completed", 1.0, None).accepted
    assert violations(database) == {}
    claims.close()


def test_more_lanes_of_the_same_tier_count_at_once(database: TestDatabase) -> None:
    ada = make_person(database, plan="pro")
    queue_jobs(database, ada, 2)
    assert _upgrade(database, ada, "studio") == 0
    assert _lanes(database) == [("high_performance", 2, 0, 3)]


def test_without_a_plan_nothing_is_moved(database: TestDatabase) -> None:
    ada = make_person(database)
    queue_jobs(database, ada, 2)
    _query(database, "UPDATE user_subscriptions SET status = 'expired'")
    assert _query(database, "SELECT queue_refresh_lanes(%s)", ada) == [(0,)]
    assert _lanes(database) == [("basic", 2, 0, 1)]
    claims = Claims(database.url(roles.WORKER))
    assert _claim(claims, "basic") is not None  # its credits were set aside when it was queued
    claims.close()
