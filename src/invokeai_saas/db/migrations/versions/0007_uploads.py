"""Pictures that come from people's disks, and downloads of many."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0007_uploads.sql")


def downgrade() -> None:
    run_sql_file("0007_uploads_down.sql")
