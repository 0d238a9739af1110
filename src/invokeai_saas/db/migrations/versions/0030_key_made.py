"""The mail about an API key that was made."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0030_key_made.sql")


def downgrade() -> None:
    run_sql_file("0030_key_made_down.sql")
