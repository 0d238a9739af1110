"""The business in figures: money, subscriptions, credits, pictures, GPU time, and revenue as credits are used."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0023_figures.sql")


def downgrade() -> None:
    run_sql_file("0023_figures_down.sql")
