"""API keys, what a plan includes decided in one place, and one trial for all spellings of an address."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0020_keys.sql")


def downgrade() -> None:
    run_sql_file("0020_keys_down.sql")
