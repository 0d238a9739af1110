"""The ledger's rules held by the database, estimates learnt from use, and keys that make an enqueue happen once."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0019_ledger.sql")


def downgrade() -> None:
    run_sql_file("0019_ledger_down.sql")
