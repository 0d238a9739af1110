"""All SQL of plans and subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select

from invokeai_saas.billing.tables import SubscriptionPlan, UserSubscription
from invokeai_saas.db.session import ReadSession, WriteSession

Session = ReadSession | WriteSession


class Standing(NamedTuple):
    """A live subscription with its plan."""

    subscription: UserSubscription
    plan: SubscriptionPlan


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
    statement = (
        select(UserSubscription, SubscriptionPlan)
        .join(SubscriptionPlan, SubscriptionPlan.id == UserSubscription.plan_id)
        .where(
            UserSubscription.status.in_(("trialing", "active", "past_due")),
            UserSubscription.current_period_end > func.now(),
        )
    )
    row = (await db.execute(statement)).one_or_none()
    return Standing(row[0], row[1]) if row else None
