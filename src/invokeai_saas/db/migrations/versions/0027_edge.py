"""Files that were deleted, until no cache has them either."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0027_edge.sql")


def downgrade() -> None:
    run_sql_file("0027_edge_down.sql")
