"""The ledger. 1 credit is 1 second of GPU time; amounts are whole credits.

Nobody but the definer functions of the migrations writes here: tenants may read their own rows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Uid

# Whoever moves credits has locked the account, so checking this key locks and writes nothing more.
_Account = Annotated[
    UUID,
    mapped_column(Uuid(as_uuid=True), ForeignKey("credit_accounts.user_id", ondelete="RESTRICT")),
]


class CreditAccount(Base):
    """The one row a movement of a person's credits locks first.

    It is a table of its own because foreign-key checks of other tables lock rows of `users`.
    """

    __tablename__ = "credit_accounts"

    user_id: Mapped[Uid] = mapped_column(
        Uuid(as_uuid=True), ForeignKey("users.id", ondelete="RESTRICT"), primary_key=True
    )
    created_at: Mapped[CreatedAt]
    low_since: Mapped[Moment | None]  # fewer than 10 credits were left then; they have been told


class Credit(Base):
    """A grant of credits with its life span. Used, reserved and expired never exceed the total.

    Expired counts what was written off and what was taken back, either of it unused.
    """

    __tablename__ = "credits"
    __table_args__ = (
        CheckConstraint("total_credits > 0", name="total"),
        CheckConstraint("used_credits >= 0 AND reserved_credits >= 0 AND expired_credits >= 0", name="parts"),
        CheckConstraint("used_credits + reserved_credits + expired_credits <= total_credits", name="sum"),
        CheckConstraint("valid_from < valid_until", name="period"),
        UniqueConstraint("user_id", "id"),
        Index("ix_credits_user_id_valid_until", "user_id", "valid_until"),
        Index("ix_credits_open", "valid_until", postgresql_where=text("is_open")),
    )

    id: Mapped[NewId]
    user_id: Mapped[_Account]
    total_credits: Mapped[int]
    used_credits: Mapped[int] = mapped_column(server_default="0")
    reserved_credits: Mapped[int] = mapped_column(server_default="0")
    expired_credits: Mapped[int] = mapped_column(server_default="0")
    is_open: Mapped[bool] = mapped_column(
        server_default=true()
    )  # until it has expired with nothing left in it
    source: Mapped[str] = mapped_column(String(30))  # trial, subscription, pack, tester, adjustment
    valid_from: Mapped[Moment]
    valid_until: Mapped[Moment]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class CreditTransaction(Base):
    """One movement. Rows are never changed; the balance is the sum of `amount`."""

    __tablename__ = "credit_transactions"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint(
            "transaction_type IN ('grant', 'settlement', 'expiry', 'refund', 'adjustment')", name="type"
        ),
        CheckConstraint(
            "transaction_type = 'adjustment' OR (transaction_type = 'grant') = (amount > 0)", name="sign"
        ),
        UniqueConstraint("user_id", "transaction_type", "reference_id"),
        UniqueConstraint("user_id", "id"),
        Index("ix_credit_transactions_user_id_created_at", "user_id", "created_at"),
        Index("ix_credit_transactions_created_at", "created_at", postgresql_using="brin"),
        Index(
            "ix_credit_transactions_bought",
            "created_at",
            postgresql_where=text("transaction_type IN ('grant', 'refund')"),
        ),
    )

    id: Mapped[NewId]
    user_id: Mapped[_Account]
    amount: Mapped[int]
    transaction_type: Mapped[str] = mapped_column(String(30))
    description: Mapped[str] = mapped_column(Text)
    reference_id: Mapped[str] = mapped_column(String(255))  # unique per type: makes every movement idempotent
    created_at: Mapped[CreatedAt]


class CreditAllocation(Base):
    """How one movement divides over grants; the parts sum to the movement's amount."""

    __tablename__ = "credit_allocations"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        ForeignKeyConstraint(
            ["user_id", "transaction_id"],
            ["credit_transactions.user_id", "credit_transactions.id"],
            ondelete="RESTRICT",
        ),
        ForeignKeyConstraint(
            ["user_id", "credit_id"], ["credits.user_id", "credits.id"], ondelete="RESTRICT"
        ),
        Index("ix_credit_allocations_user_id_credit_id", "user_id", "credit_id"),
    )

    user_id: Mapped[Uid]
    transaction_id: Mapped[Uid] = mapped_column(Uuid(as_uuid=True), primary_key=True)
    credit_id: Mapped[Uid] = mapped_column(Uuid(as_uuid=True), primary_key=True)
    amount: Mapped[int]


class CreditReservation(Base):
    """Credits set aside for one job: a pending movement that is settled or released exactly once."""

    __tablename__ = "credit_reservations"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("status IN ('held', 'settled', 'released')", name="status"),
        CheckConstraint("(status = 'held') = (resolved_at IS NULL)", name="resolved"),
        UniqueConstraint("user_id", "id"),
        UniqueConstraint("item_id"),
    )

    id: Mapped[NewId]
    user_id: Mapped[_Account]
    item_id: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[int]
    status: Mapped[str] = mapped_column(String(10), server_default="held")
    deadline: Mapped[Moment | None]  # runs from the claim
    created_at: Mapped[CreatedAt]
    resolved_at: Mapped[Moment | None]


class CreditHold(Base):
    """Which grants a reservation draws on; a held credit outlives its grant's expiry."""

    __tablename__ = "credit_holds"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        ForeignKeyConstraint(
            ["user_id", "reservation_id"],
            ["credit_reservations.user_id", "credit_reservations.id"],
            ondelete="RESTRICT",
        ),
        ForeignKeyConstraint(
            ["user_id", "credit_id"], ["credits.user_id", "credits.id"], ondelete="RESTRICT"
        ),
        Index("ix_credit_holds_user_id_credit_id", "user_id", "credit_id"),
    )

    user_id: Mapped[Uid]
    reservation_id: Mapped[Uid] = mapped_column(Uuid(as_uuid=True), primary_key=True)
    credit_id: Mapped[Uid] = mapped_column(Uuid(as_uuid=True), primary_key=True)
    amount: Mapped[int]


class UsageRecord(Base):
    """What a settled job used: measured GPU seconds and the credits charged for them."""

    __tablename__ = "usage_records"
    __table_args__ = (
        CheckConstraint("compute_seconds >= 0 AND credits_consumed >= 0", name="figures"),
        UniqueConstraint("user_id", "job_id"),
        Index("ix_usage_records_user_id_created_at", "user_id", "created_at"),
        Index("ix_usage_records_created_at", "created_at", postgresql_using="brin"),
        Index("ix_usage_records_completed", "created_at", postgresql_where=text("outcome = 'completed'")),
    )

    id: Mapped[NewId]
    user_id: Mapped[_Account]
    job_id: Mapped[str] = mapped_column(String(255))
    action_type: Mapped[str] = mapped_column(String(30))
    model_used: Mapped[str] = mapped_column(String(255))
    gpu_tier: Mapped[str] = mapped_column(String(30))
    steps: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    batch_size: Mapped[int]
    compute_seconds: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    credits_consumed: Mapped[int]
    created_at: Mapped[CreatedAt]
    model_base: Mapped[str] = mapped_column(String(50), server_default="")
    outcome: Mapped[str] = mapped_column(String(20), server_default="unknown")  # completed, canceled


class CreditRevocation(Base):
    """The grant with this reference is taken back, whether it has come already or comes later."""

    __tablename__ = "credit_revocations"

    user_id: Mapped[UUID] = mapped_column(
        Uuid(as_uuid=True), ForeignKey("users.id", ondelete="RESTRICT"), primary_key=True
    )
    reference_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]


class CreditEstimate(Base):
    """How long jobs of one class took: percentiles of GPU seconds, learnt from everybody's usage records."""

    __tablename__ = "credit_estimates"
    __table_args__ = (
        CheckConstraint(
            "samples > 0 AND 0 <= low_seconds AND low_seconds <= likely_seconds"
            " AND likely_seconds <= high_seconds",
            name="figures",
        ),
    )

    model_base: Mapped[str] = mapped_column(String(50), primary_key=True)
    gpu_tier: Mapped[str] = mapped_column(String(30), primary_key=True)
    size_class: Mapped[int] = mapped_column(primary_key=True)
    steps_class: Mapped[int] = mapped_column(primary_key=True)
    samples: Mapped[int]
    low_seconds: Mapped[Decimal] = mapped_column(Numeric(12, 3))  # 25th percentile
    likely_seconds: Mapped[Decimal] = mapped_column(Numeric(12, 3))  # 50th
    high_seconds: Mapped[Decimal] = mapped_column(Numeric(12, 3))  # 90th
    learnt_at: Mapped[CreatedAt]
