"""Putting people on plans, as paying or an admin would."""

from __future__ import annotations

from uuid import UUID

import psycopg

from tests.servers import TestDatabase


def put_on(database: TestDatabase, user_id: UUID | None, slug: str) -> None:
    """A person's subscription becomes one of another plan."""
    with psycopg.connect(database.owner) as connection:
        changed = connection.execute(
            "UPDATE user_subscriptions SET plan_id = (SELECT id FROM subscription_plans WHERE slug = %s)"
            " WHERE user_id = %s",
            [slug, user_id],
        )
        assert changed.rowcount == 1
