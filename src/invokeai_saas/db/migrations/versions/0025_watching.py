"""Figures for watching: sums over the queue and the business; a batch keeps the trace that it came with."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0025_watching.sql")


def downgrade() -> None:
    run_sql_file("0025_watching_down.sql")
