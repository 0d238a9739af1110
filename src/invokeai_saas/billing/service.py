"""Plans on offer, and where a person stands with theirs."""

from __future__ import annotations

from invokeai_saas.billing import gates, repository
from invokeai_saas.billing.repository import Session
from invokeai_saas.billing.schemas import AccountSummary, PlanDTO
from invokeai_saas.credits import service as credits
from invokeai_saas.db.session import Database
from invokeai_saas.errors import NotInPlan

NOBODY = gates.NOBODY
PLAN_ENDED = gates.PLAN_ENDED


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
        features=gates.included(standing.plan) if standing else [],
        had_plan=standing is not None or await repository.had_plan(db),
        status=subscription.status if subscription else None,
        period_end=subscription.current_period_end if subscription else None,
        trial_end=subscription.trial_end if subscription else None,
        cancel_at_period_end=bool(subscription and subscription.cancel_at_period_end),
        billing_interval=subscription.billing_interval if subscription else None,
        next_plan=standing.next_plan if standing else None,
        delete_after=None if standing else await repository.delete_after(db),
        expires=await credits.expiring(db),
    )


async def gpu_tier(db: Session) -> str | None:
    """The tier that the caller's jobs run in; None without a live plan."""
    standing = await repository.standing(db)
    return standing.plan.gpu_tier if standing else None


async def tier_rates(db: Session) -> dict[str, float]:
    """Credits that a second of GPU time costs a person, by tier."""
    return await repository.tier_rates(db)


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
