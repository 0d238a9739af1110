"""Money, subscriptions, use, credits and GPU time: each figure by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.queue.claims import Claims
from tests.factories import insert, make_image
from tests.figures.books import Books
from tests.servers import TestDatabase

JANUARY, MARCH = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)


def _money(books: Books, unit: str = "month") -> dict[str, tuple[object, ...]]:
    found = books.rows("SELECT * FROM figures_money(%s, %s, %s)", JANUARY, MARCH, unit)
    return {period.isoformat(): (paid, refunded, payments) for period, paid, refunded, payments in found}


def test_money_of_each_month(books: Books) -> None:
    ada = books.person()
    books.pack(ada, 1000, 500, JANUARY)
    intent = books.pack(ada, 5000, 2500, datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC))
    books.refund(intent, 1000)
    lost = books.pack(ada, 1000, 500, datetime(2026, 2, 10, tzinfo=UTC))
    books.refund(lost, 0, disputed=True)
    books.pack(ada, 1000, 500, MARCH)  # of the next period
    assert _money(books) == {"2026-01-01": (30, 10, 2), "2026-02-01": (5, 5, 1)}
    days = _money(books, "day")
    assert len(days) == 31 + 28
    assert days["2026-01-31"] == (25, 10, 1)
    assert days["2026-01-02"] == (0, 0, 0)


def test_recurring_revenue_counts_what_is_sold(books: Books) -> None:
    people = [books.person() for _ in range(5)]
    books.subscribe(people[0], "starter", "month", 2500)
    books.subscribe(people[1], "starter", "year", 25_000)
    books.subscribe(people[2], "pro", "month", 7500)
    for person, plan in ((people[3], "trial"), (people[4], "tester")):
        insert(
            books.connection, "user_subscriptions", user_id=person, status="active",
            current_period_start=books.just_now,
            current_period_end=books.now + timedelta(days=7),
            plan_id=books.value("SELECT id FROM subscription_plans WHERE slug = %s", plan),
        )  # fmt: skip
    found = {row[0:3]: row[3:] for row in books.rows("SELECT * FROM figures_subscriptions()")}
    assert {key: (people, round(usd, 2)) for key, (people, usd) in found.items()} == {
        ("starter", "paid", "month"): (1, 25),
        ("starter", "paid", "year"): (1, Decimal("20.83")),
        ("pro", "paid", "month"): (1, 75),
        ("trial", "trial", None): (1, 0),
        ("tester", "internal", None): (1, 0),
    }


def test_plans_that_were_agreed_on_are_told_together(books: Books) -> None:
    for price in (1000, 500):
        person = books.person()
        books.value(
            "INSERT INTO subscription_plans (name, slug, plan_type, monthly_price, gpu_tier, model_access, is_active,"
            " customer_id) VALUES ('E', %s, 'paid', %s, 'dedicated', '{sd}', false, %s) RETURNING 1",
            f"enterprise-{person.hex[:16]}", price, person,
        )  # fmt: skip
        insert(
            books.connection, "user_subscriptions", user_id=person, status="active",
            current_period_start=books.just_now,
            current_period_end=books.now + timedelta(days=7),
            plan_id=books.value("SELECT id FROM subscription_plans WHERE customer_id = %s", person),
        )  # fmt: skip
    assert books.rows("SELECT * FROM figures_subscriptions()") == [("agreed", "paid", None, 2, 1500)]


def _sold(books: Books, since: datetime, ended: datetime | None, person: object = None) -> None:
    who = person or books.person()
    insert(
        books.connection, "user_subscriptions", user_id=who, billing_interval="month", created_at=since, ended_at=ended,
        status="canceled" if ended else "active", current_period_start=since, current_period_end=ended or MARCH,
        plan_id=books.value("SELECT id FROM subscription_plans WHERE slug = 'starter'"),
    )  # fmt: skip


def test_churn_is_who_left_of_who_was_there(books: Books) -> None:
    before = datetime(2025, 12, 5, tzinfo=UTC)
    inside = datetime(2026, 1, 20, tzinfo=UTC)
    _sold(books, before, None)
    _sold(books, before, inside)
    _sold(books, before, datetime(2026, 2, 1, tzinfo=UTC))  # the next month's
    _sold(books, inside, None)  # came in the month
    _sold(books, inside, inside + timedelta(days=3))  # came and left in it
    changed = books.person()
    _sold(books, before, inside, changed)
    _sold(books, inside, None, changed)
    _sold(books, before - timedelta(days=60), before, None)  # had left before
    found = books.rows("SELECT * FROM figures_churn(%s, %s)", JANUARY, MARCH)
    assert [(month.isoformat(), *rest) for month, *rest in found] == [
        ("2026-01-01", 4, 1),
        ("2026-02-01", 4, 1),
    ]


def test_the_end_of_a_subscription_is_remembered(books: Books) -> None:
    """Whatever is written to its row afterwards; and one that lives again has not ended."""
    ada = books.person()
    books.subscribe(ada, "starter", "month", 2500)
    change = "UPDATE user_subscriptions SET status = %s WHERE user_id = %s RETURNING ended_at"
    assert books.value(change, "canceled", ada) == books.now
    books.value(
        "UPDATE user_subscriptions SET ended_at = now() - interval '1 day' WHERE user_id = %s RETURNING 1",
        ada,
    )
    assert books.value(change, "expired", ada) == books.now - timedelta(days=1)
    assert books.value(change, "active", ada) is None


def test_what_ran_out_ended_with_its_period(books: Books) -> None:
    ada = books.person()
    books.subscribe(ada, "starter", "month", 2500, since=books.now - timedelta(days=40))
    books.value("SELECT billing_sweep(30)")
    ended = books.value("SELECT ended_at FROM user_subscriptions WHERE user_id = %s", ada)
    assert ended == books.now - timedelta(days=9)


def test_activity_counts_people_once_a_day(books: Books) -> None:
    ada, bob = books.person(), books.person()
    for person, times in ((ada, 2), (bob, 1)):
        books.give(person, 100, "trial")
        for _ in range(times):
            books.use(person, 10)
    today = books.now.replace(hour=0, minute=0, second=0, microsecond=0)
    begin, end = today - timedelta(days=1), today + timedelta(days=1)
    found = books.rows("SELECT people, jobs, credits FROM figures_activity(%s, %s)", begin, end)
    assert found == [(0, 0, 0), (2, 3, 30)]
    assert books.value("SELECT figures_active_people(%s, %s)", begin, end) == 2
    assert books.value("SELECT figures_active_people(%s, %s)", begin, today) == 0


def test_pictures_of_each_hour_are_those_that_jobs_made(books: Books) -> None:
    ada = books.person()
    at = books.now.replace(minute=30, second=0, microsecond=0) - timedelta(hours=3)
    for facts in ({"item_id": 1}, {"item_id": 1}, {"item_id": 2, "is_intermediate": True}, {}):
        make_image(books.connection, ada, created_at=at, **facts)
    found = books.rows(
        "SELECT * FROM figures_pictures(%s, %s)", at - timedelta(hours=1), at + timedelta(hours=1)
    )
    assert [(hour.minute, pictures) for hour, pictures in found] == [(0, 0), (0, 2), (0, 0)]


def test_credits_by_source(books: Books) -> None:
    ada = books.person()
    books.give(ada, 100, "trial")
    books.use(ada, 30)
    intent = books.pack(ada, 1000, 500)
    books.refund(intent, 100)
    period = (books.now - timedelta(days=1), books.now + timedelta(days=1))
    found = books.rows("SELECT * FROM figures_credits(%s, %s)", *period)
    assert found == [("pack", 1000, 0, 0, 200, 800), ("trial", 100, 30, 0, 0, 70)]
    books.expire(ada)
    found = books.rows("SELECT * FROM figures_credits(%s, %s)", *period)
    assert found == [("pack", 1000, 0, 800, 200, 0), ("trial", 100, 30, 70, 0, 0)]


def _there(database: TestDatabase) -> dict[tuple[str, str], float]:
    with psycopg.connect(database.owner) as connection:
        rows = connection.execute("SELECT worker_id, tier, seconds FROM gpu_worker_days").fetchall()
    return {(worker, tier): seconds for worker, tier, seconds in rows}


def _silent(database: TestDatabase, seconds: int) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE gpu_workers SET seen_at = now() - make_interval(secs => %s)", [seconds])


def test_workers_tell_how_long_they_were_there(database: TestDatabase) -> None:
    claims = Claims(database.url(roles.WORKER))
    try:
        for worker, tiers in (("one", ["basic"]), ("two", ["basic", "high_performance"])):
            claims.seen(worker, tiers, "mock", [])
        assert _there(database) == {}
        for _ in range(2):
            _silent(database, 60)
            claims.seen("one", ["basic"], "mock", [])
            claims.seen("two", ["basic", "high_performance"], "mock", [])
        _silent(database, 301)  # who knows where it was
        claims.seen("one", ["basic"], "mock", [])
    finally:
        claims.close()
    found = _there(database)
    assert found["one", "basic"] == pytest.approx(120, abs=5)
    assert found["two", "basic"] == found["two", "high_performance"] == pytest.approx(60, abs=5)


def test_gpu_time_of_each_tier(books: Books) -> None:
    ada = books.person()
    books.give(ada, 1000, "trial")
    books.use(ada, 100, "basic", seconds=99.5)
    books.use(ada, 50, "dedicated", seconds=49.25)
    today = books.now.replace(hour=0, minute=0, second=0, microsecond=0)
    for day, seconds in ((today, 1000), (today - timedelta(days=1), 500)):
        insert(
            books.connection, "gpu_worker_days", worker_id="w", day=day.date(), tier="basic", seconds=seconds
        )
    found = books.rows("SELECT * FROM figures_gpu(%s, %s)", today, today + timedelta(days=1))
    assert found == [
        ("basic", 1, 100, Decimal("99.5"), 1000),
        ("high_performance", 0, 0, 0, 0),
        ("dedicated", 1, 50, Decimal("49.25"), 0),
    ]


_CALLS = [
    "figures_money(now() - interval '1 day', now(), 'day')",
    "figures_subscriptions()",
    "figures_churn(now() - interval '1 day', now())",
    "figures_activity(now() - interval '1 day', now())",
    "figures_active_people(now() - interval '1 day', now())",
    "figures_pictures(now() - interval '1 day', now())",
    "figures_credits(now() - interval '1 day', now())",
    "figures_gpu(now() - interval '1 day', now())",
    "figures_revenue(now() - interval '1 day', now())",
    "figures_deferred()",
]


@pytest.mark.parametrize("role", [roles.API, roles.AUTH, roles.WORKER, roles.BILLING])
def test_no_other_role_reads_figures(database: TestDatabase, role: str) -> None:
    with psycopg.connect(database.url(role), autocommit=True) as connection:
        for call in _CALLS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                connection.execute(f"SELECT * FROM {call}".encode())


def test_staff_read_none_without_a_session(database: TestDatabase) -> None:
    with psycopg.connect(database.url(roles.STAFF), autocommit=True) as connection:
        for call in _CALLS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="nobody is at work"):
                connection.execute(f"SELECT * FROM {call}".encode())


def test_every_figure_has_been_tried(database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        names = connection.execute("SELECT proname FROM pg_proc WHERE proname ~ '^figures_'").fetchall()
    assert {name for (name,) in names} == {call.partition("(")[0] for call in _CALLS}
