"""What the page keeps for a person: workflows, style presets, system prompts."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0009_library.sql")


def downgrade() -> None:
    run_sql_file("0009_library_down.sql")
