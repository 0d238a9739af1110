"""Keys of people who are barred elsewhere end."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0029_barred_keys.sql")


def downgrade() -> None:
    run_sql_file("0029_barred_keys_down.sql")
