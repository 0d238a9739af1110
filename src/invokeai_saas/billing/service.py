"""Plans on offer, and where a person stands with theirs."""

from __future__ import annotations

from uuid import UUID

from invokeai_saas.billing import repository
from invokeai_saas.billing.repository import Session
from invokeai_saas.billing.schemas import AccountSummary, PlanDTO
from invokeai_saas.credits import service as credits
from invokeai_saas.db.session import Database
from invokeai_saas.errors import NotInPlan

# The tenant of a reader who is nobody yet: no row is theirs, and plans are nobody's rows.
NOBODY = UUID(int=0)
PLAN_ENDED = "Your plan has ended. Choose one to go on."


async def plans(database: Database) -> list[PlanDTO]:
    """What anybody may sign up for, without being logged in."""
    async with database.read(NOBODY) as db:
        return [PlanDTO.model_validate(plan) for plan in await repository.offered_plans(db)]


async def trial(database: Database) -> PlanDTO | None:
    """What signing up starts; None while no trial is on offer."""
    async with database.read(NOBODY) as db:
        plan = await repository.trial_plan(db)
    return PlanDTO.model_validate(plan) if plan else None


async def account_summary(db: Session) -> AccountSummary:
    """Plan, period and credits of the caller."""
    standing = await repository.standing(db)
    subscription = standing.subscription if standing else None
    figures = await credits.balance(db)
    return AccountSummary(
        **figures.model_dump(),
        plan=PlanDTO.model_validate(standing.plan) if standing else None,
        status=subscription.status if subscription else None,
        period_end=subscription.current_period_end if subscription else None,
        trial_end=subscription.trial_end if subscription else None,
        cancel_at_period_end=bool(subscription and subscription.cancel_at_period_end),
        expires=await credits.expiring(db),
    )


async def storage_limit(db: Session) -> int | None:
    """Bytes of files that the caller's plan allows; None when it sets no limit.

    Raises:
        NotInPlan: there is no live plan.
    """
    standing = await repository.standing(db)
    if standing is None:
        raise NotInPlan("storage", [], PLAN_ENDED)
    gigabytes = standing.plan.max_storage_gb
    return None if gigabytes is None else gigabytes * 2**30


async def without_models(database: Database, family: str) -> NotInPlan:
    """What is said to who has no plan with a family of models (sd, flux, custom): which plans on offer have it.

    Read in a transaction of its own: the one that was refused has ended.
    """
    async with database.read(NOBODY) as db:
        offered = [plan.slug for plan in await repository.offered_plans(db) if family in plan.model_access]
    return NotInPlan(f"{family} models", offered)


async def require_own_models(db: Session) -> None:
    """Refuses who has no plan with models of their own.

    Raises:
        NotInPlan: names the plans on offer that have them.
    """
    standing = await repository.standing(db)
    if standing is None or "custom" not in standing.plan.model_access:
        offered = [plan.slug for plan in await repository.offered_plans(db) if "custom" in plan.model_access]
        offer = f" These plans do: {', '.join(offered)}." if offered else ""
        message = f"Your plan does not include models of your own.{offer}"
        raise NotInPlan("custom_models", offered, message)
