"""Videos, boards beside their pictures, and a version of each gallery."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0006_gallery.sql")


def downgrade() -> None:
    run_sql_file("0006_gallery_down.sql")
