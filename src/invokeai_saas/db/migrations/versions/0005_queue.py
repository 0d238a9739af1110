"""The queue's functions."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0005_queue.sql")


def downgrade() -> None:
    run_sql_file("0005_queue_down.sql")
