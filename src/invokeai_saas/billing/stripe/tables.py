"""What Stripe told us, and what was paid. People read their own; the definer functions of the migrations write."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, LedgerOwner, Moment, NewId, Uid


class StripeCustomer(Base):
    """Which customer of Stripe's a person is."""

    __tablename__ = "stripe_customers"

    user_id: Mapped[Uid] = mapped_column(
        Uuid(as_uuid=True), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    customer_id: Mapped[str] = mapped_column(String(255), unique=True)
    created_at: Mapped[CreatedAt]


class StripeEvent(Base):
    """An event as it came, and whether it was applied. `sync:...` are wishes of our own, to look at a customer."""

    __tablename__ = "stripe_events"
    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'applied', 'ignored', 'failed')", name="status"),
        Index("ix_stripe_events_due_at", "due_at", postgresql_where=text("status = 'waiting'")),
        Index("ix_stripe_events_received_at", "received_at"),
    )

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(100))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(String(10), server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[CreatedAt]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Moment]  # at Stripe
    received_at: Mapped[CreatedAt]
    applied_at: Mapped[Moment | None]


class Invoice(Base):
    """An invoice as Stripe had it when we last looked. Amounts in its currency."""

    __tablename__ = "invoices"
    __table_args__ = (Index("ix_invoices_user_id_created_at", "user_id", "created_at"),)

    id: Mapped[NewId]
    user_id: Mapped[LedgerOwner]
    stripe_invoice_id: Mapped[str] = mapped_column(String(255), unique=True)
    number: Mapped[str | None] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(20))
    description: Mapped[str] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    amount_paid: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    currency: Mapped[str] = mapped_column(String(3))
    hosted_url: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Moment]


class Payment(Base):
    """Money that came, once for each paid invoice; what it bought stands in the ledger under `invoice:{id}`."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("kind IN ('subscription', 'pack')", name="kind"),
        CheckConstraint("status IN ('paid', 'partly_refunded', 'refunded', 'disputed')", name="status"),
        CheckConstraint("amount >= 0 AND refunded >= 0 AND refunded <= amount", name="amounts"),
        Index("ix_payments_user_id_created_at", "user_id", "created_at"),
        Index("ix_payments_years", "period_end", postgresql_where=text("billing_interval = 'year'")),
    )

    id: Mapped[NewId]
    user_id: Mapped[LedgerOwner]
    kind: Mapped[str] = mapped_column(String(20))
    stripe_payment_intent_id: Mapped[str | None] = mapped_column(
        String(255), unique=True
    )  # none where nothing was due
    stripe_invoice_id: Mapped[str] = mapped_column(String(255), unique=True)
    stripe_subscription_id: Mapped[str | None] = mapped_column(String(255))
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    refunded: Mapped[Decimal] = mapped_column(Numeric(10, 2), server_default="0")
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(20))
    description: Mapped[str] = mapped_column(Text)
    plan_id: Mapped[Uid | None] = mapped_column(ForeignKey("subscription_plans.id", ondelete="RESTRICT"))
    billing_interval: Mapped[str | None] = mapped_column(String(10))
    period_start: Mapped[Moment | None]
    period_end: Mapped[Moment | None]
    created_at: Mapped[Moment]  # when it was paid
    disputed_at: Mapped[Moment | None]  # since when a dispute has its money


class AccountLapse(Base):
    """A person without a plan: what they made is kept until `delete_after` and longer, until they have been warned.

    When they are deleted is `billing_deletion_at`'s to say; `id` stands in the keys of the warnings.
    """

    __tablename__ = "account_lapses"

    user_id: Mapped[Uid] = mapped_column(
        Uuid(as_uuid=True), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[Uid] = mapped_column(server_default=text("gen_random_uuid()"))
    since: Mapped[Moment]
    delete_after: Mapped[Moment]
    marked_at: Mapped[Moment | None]  # when deletion began
