"""Plans are rows that an admin edits; NULL means custom or unlimited everywhere."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Owner, Uid


class GpuTier(Base):
    """A class of GPU: what it costs us, and how many credits a second of it costs a person."""

    __tablename__ = "gpu_tiers"

    tier: Mapped[str] = mapped_column(String(30), primary_key=True)
    gpu: Mapped[str] = mapped_column(String(30))
    instance_type: Mapped[str] = mapped_column(String(30))
    gpus_per_instance: Mapped[int]
    vram_gb: Mapped[int]  # a GPU
    usd_per_hour: Mapped[Decimal] = mapped_column(Numeric(10, 4))  # an instance
    credits_per_second: Mapped[Decimal] = mapped_column(Numeric(6, 3), server_default="1")
    virtual_clock: Mapped[float] = mapped_column(Double, server_default="0")  # of the queue's fairness


class SubscriptionPlan(Base):
    """What a plan costs, gives and allows."""

    __tablename__ = "subscription_plans"
    __table_args__ = (
        CheckConstraint("plan_type IN ('trial', 'paid', 'internal')", name="plan_type"),
        CheckConstraint("customer_id IS NULL OR NOT is_active", name="agreed"),
    )

    id: Mapped[NewId]
    name: Mapped[str] = mapped_column(String(50))
    slug: Mapped[str] = mapped_column(String(50), unique=True)
    plan_type: Mapped[str] = mapped_column(String(20), server_default="paid")
    monthly_price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    annual_price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    monthly_credits: Mapped[int | None]
    gpu_tier: Mapped[str] = mapped_column(String(30), ForeignKey("gpu_tiers.tier", ondelete="RESTRICT"))
    max_queues: Mapped[int | None]  # parallel lanes
    max_storage_gb: Mapped[int | None]
    model_access: Mapped[list[str]] = mapped_column(ARRAY(String(30)))  # of sd, flux, custom
    third_party_api_access: Mapped[bool] = mapped_column(server_default=text("false"))
    lora_training: Mapped[bool] = mapped_column(server_default=text("false"))
    collaboration: Mapped[bool] = mapped_column(server_default=text("false"))
    node_editor_access: Mapped[bool] = mapped_column(server_default=text("false"))
    api_access: Mapped[bool] = mapped_column(server_default=text("false"))
    features: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    trial_days: Mapped[int | None] = mapped_column(Integer)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    # Whose own it is, where it was agreed on with one customer; others neither see it nor are offered it.
    customer_id: Mapped[Uid | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), unique=True)


class UserSubscription(Base):
    """Which plan a person is on, and for how long."""

    __tablename__ = "user_subscriptions"
    __table_args__ = (
        CheckConstraint("status IN ('trialing', 'active', 'past_due', 'canceled', 'expired')", name="status"),
        CheckConstraint("current_period_start < current_period_end", name="period"),
        CheckConstraint(
            "billing_interval IN ('month', 'year') AND next_interval IN ('month', 'year')", name="intervals"
        ),
        # At most one subscription of a person is alive.
        Index(
            "uq_user_subscriptions_live",
            "user_id",
            unique=True,
            postgresql_where=text("status IN ('trialing', 'active', 'past_due')"),
        ),
        Index("ix_user_subscriptions_user_id", "user_id"),
        Index("ix_user_subscriptions_trial_end", "trial_end", postgresql_where=text("trial_end IS NOT NULL")),
    )

    id: Mapped[NewId]
    user_id: Mapped[Owner]
    plan_id: Mapped[Uid] = mapped_column(ForeignKey("subscription_plans.id", ondelete="RESTRICT"))
    stripe_subscription_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    stripe_customer_id: Mapped[str | None] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(20), server_default="active")
    current_period_start: Mapped[Moment]
    current_period_end: Mapped[Moment]
    trial_end: Mapped[Moment | None]
    cancel_at_period_end: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    billing_interval: Mapped[str | None] = mapped_column(String(10))  # month or year; of what is sold
    # What takes its place when the period ends.
    next_plan_id: Mapped[Uid | None] = mapped_column(ForeignKey("subscription_plans.id", ondelete="RESTRICT"))
    next_interval: Mapped[str | None] = mapped_column(String(10))
    ended_at: Mapped[Moment | None]  # kept by a trigger


class TrialClaim(Base):
    """An address that has had its trial. It names nobody, and outlives the account that it came from."""

    __tablename__ = "trial_claims"
    __table_args__ = (CheckConstraint("octet_length(address_hash) = 32", name="hash"),)

    # Keyed hash of what all spellings of the address have in common: identity/hashes.py.
    address_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    claimed_at: Mapped[CreatedAt]


class TesterPlanGrant(Base):
    """The tester plan, given by our staff. It ends at its time, is revoked, or makes room for another plan."""

    __tablename__ = "tester_plan_grants"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at AND credits >= 0", name="period"),
        CheckConstraint(
            "(revoked_at IS NULL) = (revoke_reason IS NULL) AND (revoked_at IS NULL OR ended_at IS NOT NULL)",
            name="revoked",
        ),
        # At most one grant of a person has not ended.
        Index(
            "uq_tester_plan_grants_live", "user_id", unique=True, postgresql_where=text("ended_at IS NULL")
        ),
        Index("ix_tester_plan_grants_user_id", "user_id"),
    )

    id: Mapped[NewId]
    user_id: Mapped[Owner]
    granted_by: Mapped[Uid | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    reason: Mapped[str] = mapped_column(Text)
    credits: Mapped[int]
    subscription_id: Mapped[Uid | None] = mapped_column(
        ForeignKey("user_subscriptions.id", ondelete="SET NULL")
    )
    starts_at: Mapped[CreatedAt]
    ends_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    revoked_by: Mapped[Uid | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    revoke_reason: Mapped[str | None] = mapped_column(Text)


class CreditPack(Base):
    """Credits that are sold by themselves."""

    __tablename__ = "credit_packs"
    __table_args__ = (CheckConstraint("credits > 0 AND price > 0 AND valid_days > 0", name="figures"),)

    slug: Mapped[str] = mapped_column(String(50), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    credits: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))  # US dollars
    valid_days: Mapped[int]  # from the payment
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
