"""SQL of what is sold."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from invokeai_saas.billing.stripe.repository import Session
from invokeai_saas.billing.tables import CreditPack, SubscriptionPlan


async def offered_packs(db: Session) -> Sequence[CreditPack]:
    """Packs on offer, the smallest first."""
    statement = select(CreditPack).where(CreditPack.is_active).order_by(CreditPack.credits, CreditPack.slug)
    return (await db.scalars(statement)).all()


async def offered_pack(db: Session, slug: str) -> CreditPack | None:
    return await db.scalar(select(CreditPack).where(CreditPack.slug == slug, CreditPack.is_active))


async def sold_plan(db: Session, slug: str) -> SubscriptionPlan | None:
    """A plan that is on offer for money."""
    statement = select(SubscriptionPlan).where(
        SubscriptionPlan.slug == slug, SubscriptionPlan.is_active, SubscriptionPlan.plan_type == "paid"
    )
    return await db.scalar(statement)


async def plan_by_id(db: Session, plan_id: str) -> SubscriptionPlan:
    """A plan, on offer or no longer."""
    return (await db.scalars(select(SubscriptionPlan).where(SubscriptionPlan.id == UUID(plan_id)))).one()
