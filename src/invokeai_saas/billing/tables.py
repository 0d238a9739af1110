"""Plans are rows that an admin edits; NULL means custom or unlimited everywhere."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, Integer, Numeric, String, text
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
    __table_args__ = (CheckConstraint("plan_type IN ('trial', 'paid', 'internal')", name="plan_type"),)

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


class UserSubscription(Base):
    """Which plan a person is on, and for how long."""

    __tablename__ = "user_subscriptions"
    __table_args__ = (
        CheckConstraint("status IN ('trialing', 'active', 'past_due', 'canceled', 'expired')", name="status"),
        CheckConstraint("current_period_start < current_period_end", name="period"),
        # At most one subscription of a person is alive.
        Index(
            "uq_user_subscriptions_live",
            "user_id",
            unique=True,
            postgresql_where=text("status IN ('trialing', 'active', 'past_due')"),
        ),
        Index("ix_user_subscriptions_user_id", "user_id"),
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
