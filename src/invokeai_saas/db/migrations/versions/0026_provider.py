"""People whose passwords an identity provider keeps: changed addresses, and deletion there."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0026_provider.sql")


def downgrade() -> None:
    run_sql_file("0026_provider_down.sql")
