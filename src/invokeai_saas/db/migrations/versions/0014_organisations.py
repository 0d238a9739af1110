"""Organisations, and what their people show each other."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0014_organisations.sql")


def downgrade() -> None:
    run_sql_file("0014_organisations_down.sql")
