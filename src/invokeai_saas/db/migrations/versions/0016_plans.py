"""Functions of the queue's hot paths keep their query plans."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0016_plans.sql")


def downgrade() -> None:
    run_sql_file("0016_plans_down.sql")
