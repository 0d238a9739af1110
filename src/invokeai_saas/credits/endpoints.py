"""Balance, history and usage of the person who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from invokeai_saas.credits import service
from invokeai_saas.credits.schemas import Balance, HistoryPage, Usage
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
async def usage(db: Reader, days: Annotated[int, Query(ge=1, le=366)] = 30) -> Usage:
    return await service.usage(db, days)
