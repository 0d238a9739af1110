"""GPU tiers and the plans as first sold."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0003_plans.sql")


def downgrade() -> None:
    run_sql_file("0003_plans_down.sql")
