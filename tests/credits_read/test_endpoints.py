"""Balance, history and usage, as owner, as another person, as nobody."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from invokeai_saas.db import roles
from tests.apps import RunningApi, Subject
from tests.factories import insert, make_person
from tests.servers import TestDatabase

PATHS = ("/api/v1/credits/balance", "/api/v1/credits/history", "/api/v1/usage")


def _settle(database: TestDatabase, person: Subject, item: int, cost: int) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("SELECT _credits_reserve(%s, %s, %s)", [person.user_id, item, cost])
        connection.execute("SELECT _credits_settle(%s, %s, %s, 'A picture')", [person.user_id, item, cost])


def _use(
    database: TestDatabase,
    person: Subject,
    job: str,
    moment: datetime,
    model: str,
    cost: int,
    tier: str = "basic",
) -> None:
    with psycopg.connect(database.owner) as connection:
        insert(
            connection, "usage_records", user_id=person.user_id, job_id=job, action_type="generate",
            model_used=model, gpu_tier=tier, steps=20, width=256, height=256, batch_size=1,
            compute_seconds=Decimal(cost) - Decimal("0.25"), credits_consumed=cost, created_at=moment,
        )  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_is_refused(api: RunningApi, path: str) -> None:
    assert (await api.nobody().get(path)).status_code == 401


async def test_the_balance_is_the_sum_of_the_ledger(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    _settle(database, ada, 1, 9)
    _settle(database, ada, 2, 1)
    assert (await ada.get("/api/v1/credits/balance")).json() == {
        "balance": 490,
        "reserved": 0,
        "available": 490,
    }
    with psycopg.connect(database.owner) as connection:
        row = connection.execute(
            "SELECT sum(total_credits - used_credits - expired_credits) FROM credits WHERE user_id = %s",
            [ada.user_id],
        ).fetchone()
    assert row == (490,)


async def test_history_pages_through_every_movement_once(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    for item in range(1, 8):
        _settle(database, ada, item, item)
    with psycopg.connect(database.url()) as connection:
        # Movements of one transaction share their moment: the page's edge must not lose one of them.
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE credit_transactions SET created_at = '2026-01-02' WHERE amount BETWEEN -5 AND 0"
        )
    seen = []
    query = "?limit=3"
    while True:
        page = (await ada.get(f"/api/v1/credits/history{query}")).json()
        assert len(page["items"]) <= 3
        seen += page["items"]
        if page["next"] is None:
            break
        query = f"?limit=3&before={page['next']}"
    assert sorted(item["amount"] for item in seen) == [-7, -6, -5, -4, -3, -2, -1, 500]
    assert [item["created_at"] for item in seen] == sorted((i["created_at"] for i in seen), reverse=True)
    assert {(item["type"], item["description"]) for item in seen} == {
        ("grant", "Trial credits"),
        ("settlement", "A picture"),
    }


@pytest.mark.parametrize("before", ["nonsense", "AAAA", "MjAyNi0wMS0wMnx4", "%00", "MjAyNi0wMS0wMg=="])
async def test_a_foreign_cursor_is_refused(api: RunningApi, before: str) -> None:
    ada = await api.person("ada@example.com")
    answer = await ada.get(f"/api/v1/credits/history?before={before}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][-1] == "before"


async def test_usage_by_day_and_model(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    today = datetime.now(UTC).replace(hour=12, minute=0)
    yesterday = today - timedelta(days=1)
    _use(database, ada, "1", today, "starter", 2)
    _use(database, ada, "2", today, "starter", 3)
    _use(database, ada, "3", today, "other", 4)
    _use(database, ada, "4", yesterday, "starter", 5)
    _use(database, ada, "5", today - timedelta(days=30), "starter", 100)
    usage = (await ada.get("/api/v1/usage?days=30")).json()
    assert [(i["day"], i["model"], i["jobs"], i["credits"]) for i in usage["items"]] == [
        (today.date().isoformat(), "other", 1, 4),
        (today.date().isoformat(), "starter", 2, 5),
        (yesterday.date().isoformat(), "starter", 1, 5),
    ]
    assert usage["total"] == {"jobs": 4, "gpu_seconds": "13.000", "credits": 14}
    assert usage["since"] == (today.date() - timedelta(days=29)).isoformat()
    assert len((await ada.get("/api/v1/usage?days=1")).json()["items"]) == 2


@pytest.mark.parametrize("days", ["0", "367", "x"])
async def test_days_out_of_range_are_refused(api: RunningApi, days: str) -> None:
    ada = await api.person("ada@example.com")
    assert (await ada.get(f"/api/v1/usage?days={days}")).status_code == 422


async def test_another_persons_movements_are_not_there(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    bob = await api.person("bob@example.com")
    _settle(database, ada, 1, 9)
    _use(database, ada, "1", datetime.now(UTC), "starter", 9)
    assert (await bob.get("/api/v1/credits/balance")).json()["balance"] == 500
    history = (await bob.get("/api/v1/credits/history")).json()
    assert [item["amount"] for item in history["items"]] == [500]
    assert (await bob.get("/api/v1/usage")).json()["items"] == []
    # Not even the place of Ada's movement in the ledger shows Bob anything of hers.
    place = (await ada.get("/api/v1/credits/history?limit=1")).json()["next"]
    page = (await bob.get(f"/api/v1/credits/history?before={place}")).json()
    assert all(item["amount"] == 500 for item in page["items"])


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01", "x"]
)
async def test_a_cursor_that_is_none_of_ours_names_the_field(api: RunningApi, moment: str) -> None:
    ada = await api.person("ada@example.com")
    cursor = urlsafe_b64encode(f"{moment}|{uuid4()}".encode()).decode()
    answer = await ada.get("/api/v1/credits/history", params={"before": cursor})
    assert (answer.status_code, answer.json()["detail"][0]["loc"][-1]) == (422, "before")


async def test_days_begin_in_the_time_zone_that_is_given(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    _use(database, ada, "1", datetime(2026, 3, 1, 14, 59, tzinfo=UTC), "m", 1)  # 23:59 in Seoul
    _use(database, ada, "2", datetime(2026, 3, 1, 15, 0, tzinfo=UTC), "m", 2)  # midnight there
    days = {"from": "2026-03-02", "to": "2026-03-02"}
    seoul = (await ada.get("/api/v1/usage", params={**days, "tz": "Asia/Seoul"})).json()
    assert [(item["day"], item["credits"]) for item in seoul["items"]] == [("2026-03-02", 2)]
    assert (seoul["since"], seoul["until"], seoul["time_zone"]) == ("2026-03-02", "2026-03-02", "Asia/Seoul")
    assert (await ada.get("/api/v1/usage", params=days)).json()["items"] == []
    both = (await ada.get("/api/v1/usage", params={"from": "2026-03-01", "to": "2026-03-01"})).json()
    assert both["total"] == {"jobs": 2, "gpu_seconds": "2.500", "credits": 3}
    # A day of 23 hours, and one of 25: every moment of the year belongs to one day.
    for month, day in ((3, 8), (11, 1)):
        for hour in range(30):
            _use(
                database,
                ada,
                f"{month}-{hour}",
                datetime(2025, month, day, tzinfo=UTC) + timedelta(hours=hour),
                "n",
                1,
            )
    wanted = {"from": "2024-12-01", "to": "2025-12-01", "tz": "America/New_York"}
    usage = (await ada.get("/api/v1/usage", params=wanted)).json()
    assert usage["total"]["jobs"] == sum(item["jobs"] for item in usage["items"]) == 60
    assert {item["day"]: item["jobs"] for item in usage["items"]}["2025-11-01"] == 24


async def test_tiers_are_told_apart_and_pages_miss_nothing(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    number = 0
    for day in (1, 2, 3):
        for model in ("a", "b|\u00e9", "c"):
            for tier in ("basic", "dedicated"):
                number += 1
                _use(database, ada, str(number), datetime(2026, 5, day, tzinfo=UTC), model, number, tier)
    days = {"from": "2026-05-01", "to": "2026-05-03", "limit": 4}
    whole = (await ada.get("/api/v1/usage", params={**days, "limit": 100})).json()
    assert whole["next"] is None
    seen: list[dict[str, Any]] = []
    before: dict[str, str] = {}
    while True:
        page = (await ada.get("/api/v1/usage", params=days | before)).json()
        assert page["total"] == whole["total"]
        seen += page["items"]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert seen == whole["items"]
    assert len(seen) == 18
    assert [(i["day"][-1], i["model"], i["tier"]) for i in seen[:3]] == [
        ("3", "a", "basic"), ("3", "a", "dedicated"), ("3", "b|\u00e9", "basic")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"tz": "Mars/Olympus"}, "tz"),
        ({"tz": "../etc/passwd"}, "tz"),
        ({"tz": "America"}, "tz"),
        ({"tz": "a\0b"}, "tz"),
        ({"tz": "x" * 65}, "tz"),
        ({"from": "2026-05-03", "to": "2026-05-02"}, "from"),
        ({"from": "2024-01-01", "to": "2026-01-01"}, "from"),
        ({"from": "tomorrow"}, "from"),
        ({"to": "9999-12-31"}, "to"),
        ({"to": "0001-01-01"}, "to"),
        ({"limit": "0"}, "limit"),
        ({"limit": "5001"}, "limit"),
        ({"before": "nonsense"}, "before"),
        ({"before": urlsafe_b64encode(b"[1, 2, 3]").decode()}, "before"),
        ({"before": urlsafe_b64encode(b'["2026-01-01", "a"]').decode()}, "before"),
        ({"before": urlsafe_b64encode(b'["2026-01-01", "a", "\\u0000"]').decode()}, "before"),
        ({"before": urlsafe_b64encode(b'["2026-01-01", "a", "\\ud800"]').decode()}, "before"),
        ({"before": urlsafe_b64encode(b"[" * 700).decode()}, "before"),
    ],
)
async def test_what_is_no_question_about_usage_names_the_field(
    api: RunningApi, params: dict[str, str], field: str
) -> None:
    ada = await api.person("ada@example.com")
    answer = await ada.get("/api/v1/usage", params=params)
    assert (answer.status_code, answer.json()["detail"][0]["loc"][-1]) == (422, field)


def test_usage_and_history_are_served_by_indexes(database: TestDatabase) -> None:
    """Of a person with much among many: neither reads everybody's rows."""
    person = make_person(database)
    with psycopg.connect(database.url()) as connection:
        connection.execute("SET session_replication_role = replica")  # rows of people who are not there
        connection.execute(
            "INSERT INTO usage_records (user_id, job_id, action_type, model_used, gpu_tier, steps, width, height,"
            " batch_size, compute_seconds, credits_consumed) SELECT CASE WHEN n %% 50 = 0 THEN %s ELSE"
            " gen_random_uuid() END, n, 'generate', 'm', 'basic', 1, 1, 1, 1, 1, 1 FROM generate_series(1, 20000) n",
            [person],
        )
        connection.execute(
            "INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)"
            " SELECT user_id, -1, 'settlement', '', job_id FROM usage_records"
        )
        connection.execute("ANALYZE usage_records, credit_transactions")
    with psycopg.connect(database.url(roles.API)) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(person)])
        for statement, index in (
            (
                "SELECT model_used, sum(credits_consumed) FROM usage_records WHERE created_at >= '2026-01-01'"
                " AND created_at < '2100-01-01' GROUP BY 1",
                "usage_records_user_id",
            ),
            (
                "SELECT * FROM credit_transactions WHERE (created_at, id) < (now(), gen_random_uuid())"
                " ORDER BY created_at DESC, id DESC LIMIT 50",
                "ix_credit_transactions_user_id_created_at",
            ),
        ):
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {statement}".encode()).fetchall())
            assert index in plan and "Seq Scan" not in plan, plan
