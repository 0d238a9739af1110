"""Videos from people's disks."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0008_videos.sql")


def downgrade() -> None:
    run_sql_file("0008_videos_down.sql")
