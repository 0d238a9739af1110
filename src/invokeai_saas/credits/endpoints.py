"""Balance, history and usage of the person who asks."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from invokeai_saas.credits import service
from invokeai_saas.credits.schemas import Balance, HistoryPage, Usage
from invokeai_saas.credits.service import UsageDays
from invokeai_saas.identity.access import Reader

router = APIRouter(prefix="/api/v1", tags=["credits"])


@router.get("/credits/balance")
async def balance(db: Reader) -> Balance:
    return await service.balance(db)


@router.get("/credits/history")
async def history(
    db: Reader,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[str | None, Query(max_length=200)] = None,
) -> HistoryPage:
    """The ledger's rows of the caller, newest first."""
    return await service.history(db, limit, before)


@router.get("/usage")
async def usage(
    db: Reader,
    since: Annotated[date | None, Query(alias="from")] = None,
    until: Annotated[date | None, Query(alias="to")] = None,
    days: Annotated[int, Query(ge=1, le=service.MAX_USAGE_DAYS)] = 30,
    tz: Annotated[str, Query(max_length=64)] = "UTC",
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    before: Annotated[str | None, Query(max_length=1000)] = None,
) -> Usage:
    """The caller's use by day, model and GPU tier: `from` one day `to` another, or the last `days`."""
    return await service.usage(db, UsageDays(since, until, days, tz), limit, before)
