"""Privacy: mails about payments, one rule for deletion dates, exports, and deletion of a person with proof."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0022_privacy.sql")


def downgrade() -> None:
    run_sql_file("0022_privacy_down.sql")
