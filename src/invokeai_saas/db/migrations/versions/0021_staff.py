"""Staff: their role, their log-in, what they do to people and plans, and the log of it."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0021_staff.sql")
    run_sql_file("0021_staff_acts.sql")


def downgrade() -> None:
    run_sql_file("0021_staff_down.sql")
