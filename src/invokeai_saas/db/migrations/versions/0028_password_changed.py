"""The mail about a password that was changed."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0028_password_changed.sql")


def downgrade() -> None:
    run_sql_file("0028_password_changed_down.sql")
