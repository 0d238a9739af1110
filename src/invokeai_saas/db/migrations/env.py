"""Alembic's entry: runs migrations over the connection that `db.migrate` hands in."""

from __future__ import annotations

from alembic import context

from invokeai_saas.db.metadata import all_tables


def run() -> None:
    """Runs the migrations, each in its own transaction and never waiting long for a lock."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=all_tables(),
        transaction_per_migration=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
