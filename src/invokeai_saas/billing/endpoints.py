"""Plans for everybody, and the caller's own account."""

from __future__ import annotations

from fastapi import APIRouter

from invokeai_saas.billing import service
from invokeai_saas.billing.schemas import AccountSummary, PlanDTO
from invokeai_saas.identity.access import Reader, Shared

router = APIRouter(prefix="/api/v1", tags=["billing"])


@router.get("/plans")
async def plans(shared: Shared) -> list[PlanDTO]:
    return await service.plans(shared.database)


@router.get("/account/summary")
async def account_summary(db: Reader) -> AccountSummary:
    return await service.account_summary(db)
