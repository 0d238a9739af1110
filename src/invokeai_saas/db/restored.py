"""Looks at a database that was restored from a backup: is it ours, whole, and recent enough?

As the owner, who sees all rows. Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import conninfo, sql

from invokeai_saas.errors import SetupError

_COUNTED = ("users", "images", "session_queue", "credits", "credit_transactions", "usage_records", "payments")
# Idle workers say every two seconds that they live; without any, people's doings are the newest.
_NEWEST = """
    SELECT now() - greatest(
        (SELECT max(seen_at) FROM gpu_workers), (SELECT max(created_at) FROM credit_transactions),
        (SELECT max(created_at) FROM session_queue), (SELECT max(updated_at) FROM users))
"""
_REMEDY = "Treat the backups as broken until this is explained: see docs/delivery.md."


@dataclass(frozen=True)
class Look:
    """What was found.

    Parameters:
        revision: of the migrations.
        rows: by table.
        age: of the newest row, against the database's own clock.
    """

    revision: str
    rows: dict[str, int]
    age: timedelta


def look_at(owner_url: str, max_age: timedelta, host: str | None = None) -> Look:
    """Looks.

    Parameters:
        owner_url: libpq URL of the owner role.
        max_age: that the newest row may have.
        host: instead of the URL's.

    Raises:
        SetupError: it is not ours, not whole, or older than that.
        psycopg.OperationalError: nothing answers there.
    """
    options = {"host": host} if host else {}
    with psycopg.connect(conninfo.make_conninfo(owner_url, **options), connect_timeout=30) as connection:
        connection.read_only = True
        look = Look(_revision(connection), _rows(connection), _age(connection))
        _money(connection)
    if not look.rows["users"] or not look.rows["credit_transactions"]:
        raise SetupError(f"The database is empty: {look.rows}.", _REMEDY)
    if look.age > max_age:
        raise SetupError(f"The newest row is {look.age} old; {max_age} is the limit.", _REMEDY)
    return look


def _revision(connection: psycopg.Connection[Any]) -> str:
    try:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.errors.UndefinedTable as error:
        raise SetupError("This is no database of ours: it has no migrations.", _REMEDY) from error
    if found is None:
        raise SetupError("The database's revision is not known.", _REMEDY)
    return str(found[0])


def _rows(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Counting reads each table from end to end, which a damaged page does not survive."""
    counts = {}
    for table in _COUNTED:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert row is not None  # an aggregate always has a row
        counts[table] = int(row[0])
    return counts


def _age(connection: psycopg.Connection[Any]) -> timedelta:
    row = connection.execute(_NEWEST).fetchone()
    return row[0] if row and row[0] is not None else timedelta.max


def _money(connection: psycopg.Connection[Any]) -> None:
    """The books agree: every figure beside the ledger is what the ledger says, and no balance is below zero."""
    wrong = connection.execute("SELECT count(*) FROM credits_disagreements()").fetchone()
    assert wrong is not None
    if wrong[0]:
        raise SetupError(f"{wrong[0]} grants are not what the ledger says.", _REMEDY)
    below = connection.execute(
        "SELECT count(*) FROM (SELECT user_id FROM credit_transactions GROUP BY user_id HAVING sum(amount) < 0) x"
    ).fetchone()
    assert below is not None
    if below[0]:
        raise SetupError(f"{below[0]} people have a balance below zero.", _REMEDY)
