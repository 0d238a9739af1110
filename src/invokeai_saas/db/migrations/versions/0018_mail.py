"""Mail: an outbox, reminders, the links of verification and password reset, and each person's language."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0018_mail.sql")


def downgrade() -> None:
    run_sql_file("0018_mail_down.sql")
