"""What a person sees of their credits. 1 credit is 1 second of GPU time."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel


class Balance(BaseModel):
    """Whole credits. `available` may be spent now; `balance` also counts what running jobs have reserved."""

    balance: int
    reserved: int
    available: int


class ExpiringCredits(BaseModel):
    """What is left of one grant, and until when. Grants are spent in this order."""

    source: str  # trial, subscription, pack, tester, adjustment
    amount: int
    valid_until: datetime


class Movement(BaseModel):
    """One row of the ledger."""

    id: UUID
    type: str  # grant, settlement, expiry, refund, adjustment
    amount: int  # negative for what was spent
    description: str
    reference: str
    created_at: datetime


class HistoryPage(BaseModel):
    """Newest first. Parameters: next: give it as `before` for the page that follows; null on the last."""

    items: list[Movement]
    next: str | None


class UsageFigures(BaseModel):
    jobs: int
    gpu_seconds: Decimal
    credits: int


class DailyUsage(UsageFigures):
    """One model's use on one day (UTC)."""

    day: date
    model: str


class Usage(BaseModel):
    """Parameters: since: first day counted (UTC); items: newest day first."""

    since: date
    total: UsageFigures
    items: list[DailyUsage]
