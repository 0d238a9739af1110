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


class CreditRange(BaseModel):
    """Credits: a quarter of such jobs need less than `low`, half of them `likely`, nine in ten `high` at most."""

    low: int
    likely: int
    high: int


class JobsEstimate(CreditRange):
    """What each of `jobs` equal jobs needs. Parameters: learnt_from: so many jobs like it were measured."""

    jobs: int
    learnt_from: int


class Estimate(BaseModel):
    """What a batch would need. Nothing is reserved by asking.

    Parameters:
        tier: where its jobs would run; null without a live plan.
        per_job: jobs that are alike together.
        total: of all jobs.
        needed: what queueing it reserves, the high estimate of all jobs; what is not used comes back.
        missing: credits that `available` lacks; 0 where it can be queued.
    """

    tier: str | None
    jobs: int
    per_job: list[JobsEstimate]
    total: CreditRange
    needed: int
    available: int
    missing: int


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
    """One model's use on one day in one GPU tier."""

    day: date
    model: str
    tier: str


class Usage(BaseModel):
    """Use by day, model and tier, newest day first.

    Parameters:
        since, until: first and last day counted.
        time_zone: in which days begin and end.
        total: of all these days, whatever the page.
        next: give it as `before`, with the same days, for the page that follows; null on the last.
    """

    since: date
    until: date
    time_zone: str
    total: UsageFigures
    items: list[DailyUsage]
    next: str | None
