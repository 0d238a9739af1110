"""What is sold, what was paid for it, and what Stripe told us."""

from invokeai_saas.db.migrations.sqlfile import run_sql_file

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("0017_stripe.sql")


def downgrade() -> None:
    run_sql_file("0017_stripe_down.sql")
