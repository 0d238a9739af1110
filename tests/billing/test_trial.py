"""The trial: once per person, however often it is asked for."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from invokeai_saas.db import roles
from tests.apps import RunningApi
from tests.factories import make_person
from tests.money import violations
from tests.servers import TestDatabase


def _start_trial(database: TestDatabase, user_id: UUID | None) -> None:
    with psycopg.connect(database.url(roles.AUTH)) as connection:
        connection.execute("SELECT billing_start_trial(%s)", [user_id])


def _has(database: TestDatabase, user_id: UUID | None) -> tuple[int, int]:
    """Subscriptions and credits of a person."""
    with psycopg.connect(database.owner) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM user_subscriptions WHERE user_id = %(user)s),"
            " (SELECT coalesce(sum(amount), 0) FROM credit_transactions WHERE user_id = %(user)s)",
            {"user": user_id},
        ).fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.parametrize(
    "since",
    [
        "SELECT 1",
        "UPDATE user_subscriptions SET status = 'expired'",
        "UPDATE user_subscriptions SET status = 'canceled', plan_id = (SELECT id FROM subscription_plans"
        " WHERE slug = 'pro')",
        "DELETE FROM user_subscriptions",
    ],
)
async def test_a_second_trial_gives_nothing(api: RunningApi, database: TestDatabase, since: str) -> None:
    ada = await api.person("ada@example.com")
    with psycopg.connect(database.owner) as connection:
        connection.execute(since)
    before = _has(database, ada.user_id)
    _start_trial(database, ada.user_id)
    assert _has(database, ada.user_id) == before
    assert violations(database) == {}


def test_an_expired_trial_without_credits_was_one_too(database: TestDatabase) -> None:
    ada = make_person(database, credits=0)
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE user_subscriptions SET status = 'expired'")
    _start_trial(database, ada)
    assert _has(database, ada) == (1, 0)
