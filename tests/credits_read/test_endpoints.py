"""Balance, history and usage, as owner, as another person, as nobody."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from tests.apps import RunningApi, Subject
from tests.factories import insert
from tests.servers import TestDatabase

PATHS = ("/api/v1/credits/balance", "/api/v1/credits/history", "/api/v1/usage")


def _settle(database: TestDatabase, person: Subject, item: int, cost: int) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("SELECT _credits_reserve(%s, %s, %s)", [person.user_id, item, cost])
        connection.execute("SELECT _credits_settle(%s, %s, %s, 'A picture')", [person.user_id, item, cost])


def _use(database: TestDatabase, person: Subject, job: str, moment: datetime, model: str, cost: int) -> None:
    with psycopg.connect(database.owner) as connection:
        insert(
            connection, "usage_records", user_id=person.user_id, job_id=job, action_type="generate",
            model_used=model, gpu_tier="basic", steps=20, width=256, height=256, batch_size=1,
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
