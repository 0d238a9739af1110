"""Row-level security, roles' rights, triggers."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0002_policies.sql")


def downgrade() -> None:
    run_sql_file("0002_policies_down.sql")
