"""Every table of the first release."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0001_tables.sql")


def downgrade() -> None:
    run_sql_file("0001_tables_down.sql")
