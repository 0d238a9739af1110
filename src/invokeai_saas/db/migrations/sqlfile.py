"""Runs a file of SQL inside a migration's transaction."""

from __future__ import annotations

from importlib.resources import files

from alembic import op


def run_sql_file(name: str) -> None:
    """Executes every statement of `sql/<name>`.

    The driver's own connection is used: SQLAlchemy would read `::` casts and `%` as placeholders.
    A migration waits at most five seconds for a lock, so that it never stands in front of the service's queries.
    """
    text = files("invokeai_saas.db.migrations").joinpath("sql", name).read_text(encoding="utf-8")
    raw = op.get_bind().connection.driver_connection
    assert raw is not None
    raw.execute("SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '10min'")
    raw.execute(text)
