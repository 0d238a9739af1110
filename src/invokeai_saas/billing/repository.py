"""All SQL of plans and subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import DateTime, func, select
from sqlalchemy.orm import aliased

from invokeai_saas.billing.tables import GpuTier, SubscriptionPlan, UserSubscription
from invokeai_saas.db.session import ReadSession, WriteSession

Session = ReadSession | WriteSession


class Standing(NamedTuple):
    """A live subscription with its plan."""

    subscription: UserSubscription
    plan: SubscriptionPlan
    next_plan: str | None  # slug


async def offered_plans(db: Session) -> Sequence[SubscriptionPlan]:
    """Plans that anybody may take, the cheapest first and those with a price to agree on last."""
    statement = (
        select(SubscriptionPlan)
        .where(SubscriptionPlan.is_active, SubscriptionPlan.plan_type != "internal")
        .order_by(SubscriptionPlan.monthly_price.nulls_last(), SubscriptionPlan.slug)
    )
    return (await db.scalars(statement)).all()


async def trial_plan(db: Session) -> SubscriptionPlan | None:
    """The plan that signing up starts: the same choice as the ledger's billing_start_trial makes."""
    statement = (
        select(SubscriptionPlan)
        .where(SubscriptionPlan.is_active, SubscriptionPlan.plan_type == "trial")
        .order_by(SubscriptionPlan.created_at)
        .limit(1)
    )
    return (await db.scalars(statement)).one_or_none()


async def standing(db: Session) -> Standing | None:
    """The caller's subscription if its period has not ended; there is at most one."""
    following = aliased(SubscriptionPlan)
    statement = (
        select(UserSubscription, SubscriptionPlan, following.slug)
        .join(SubscriptionPlan, SubscriptionPlan.id == UserSubscription.plan_id)
        .outerjoin(following, following.id == UserSubscription.next_plan_id)
        .where(
            UserSubscription.status.in_(("trialing", "active", "past_due")),
            UserSubscription.current_period_end > func.now(),
        )
    )
    row = (await db.execute(statement)).one_or_none()
    return Standing(row[0], row[1], row[2]) if row else None


async def had_plan(db: Session) -> bool:
    """Whether the caller has a subscription, alive or ended."""
    return bool(await db.scalar(select(select(UserSubscription.id).exists())))


async def tier_rates(db: Session) -> dict[str, float]:
    """Credits a second of GPU time, by tier."""
    rows = await db.execute(select(GpuTier.tier, GpuTier.credits_per_second))
    return {tier: float(rate) for tier, rate in rows}


async def delete_after(db: Session) -> datetime | None:
    """When the caller's data is deleted, if they have no plan. The database's one function for it says so."""
    return await db.scalar(select(func.billing_my_deletion_at(type_=DateTime(timezone=True))))
