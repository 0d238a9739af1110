"""A movement of credits writes less: what almost always is the case (one grant, one hold) goes by plain statements."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0024_lean.sql")


def downgrade() -> None:
    run_sql_file("0024_lean_down.sql")
