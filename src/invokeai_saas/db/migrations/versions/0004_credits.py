"""The ledger's functions."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0004_credits.sql")


def downgrade() -> None:
    run_sql_file("0004_credits_down.sql")
