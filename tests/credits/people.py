"""What tests do with the ledger's own functions, as the owner role that every definer function runs as."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from tests.servers import TestDatabase


def call(database: TestDatabase, function: str, *arguments: object) -> Any:
    """One call in a transaction of its own; answers its value.

    Functions whose names begin with an underscore get the account of their first argument locked, as they expect.
    """
    marks = ", ".join(["%s"] * len(arguments))
    with psycopg.connect(database.owner) as connection:
        if function.startswith("_"):
            connection.execute("SELECT _credits_lock(%s)", arguments[:1])
        row = connection.execute(f"SELECT {function}({marks})".encode(), arguments).fetchone()
    assert row is not None
    return row[0]


def grant(
    database: TestDatabase,
    user_id: UUID,
    amount: int,
    reference: str,
    *,
    days: float = 30,
    source: str = "pack",
) -> UUID:
    """A grant that is valid from a second ago. Parameters: days: until it expires; negative for one that has."""
    now = datetime.now(UTC)
    until = now + timedelta(days=days)
    begin = min(now, until) - timedelta(seconds=1)
    found: UUID = call(database, "credits_grant", user_id, amount, source, begin, until, reference, "A grant")
    return found


def rows(database: TestDatabase, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.url()) as connection:
        return connection.execute(query.encode(), values).fetchall()
