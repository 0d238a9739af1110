"""How many of a person's jobs ended how, kept rather than counted for every event."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0012_counts.sql")


def downgrade() -> None:
    run_sql_file("0012_counts_down.sql")
