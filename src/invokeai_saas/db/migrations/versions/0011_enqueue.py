"""What the plan decides about a batch, in the statement that queues it."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0011_enqueue.sql")


def downgrade() -> None:
    run_sql_file("0011_enqueue_down.sql")
