"""Single-file checkpoints that become folders."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0015_convert.sql")


def downgrade() -> None:
    run_sql_file("0015_convert_down.sql")
