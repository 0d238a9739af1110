"""Installs that give up and share a plan's room, and cleared queues that hide what still runs."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0013_mended.sql")


def downgrade() -> None:
    run_sql_file("0013_mended_down.sql")
