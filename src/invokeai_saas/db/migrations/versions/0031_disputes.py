"""Disputes that end well return what they took."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0031_disputes.sql")


def downgrade() -> None:
    run_sql_file("0031_disputes_down.sql")
