"""All SQL that reads the ledger. Row-level security leaves nothing but the caller's own rows to see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Date, and_, cast, func, literal, or_, select, tuple_

from invokeai_saas.credits.estimate import JobClass, Learnt
from invokeai_saas.credits.tables import (
    Credit,
    CreditEstimate,
    CreditReservation,
    CreditTransaction,
    UsageRecord,
)
from invokeai_saas.db.session import ReadSession, WriteSession

Session = ReadSession | WriteSession

_FREE = Credit.total_credits - Credit.used_credits - Credit.reserved_credits - Credit.expired_credits
_FIGURES = (
    func.count(),
    func.sum(UsageRecord.compute_seconds),
    func.sum(UsageRecord.credits_consumed),
)
_LEFT = Credit.total_credits - Credit.used_credits - Credit.expired_credits


class Sums(NamedTuple):
    """Whole credits."""

    balance: int
    reserved: int
    available: int


class UsageRow(NamedTuple):
    day: date
    model: str
    tier: str
    jobs: int
    gpu_seconds: Decimal
    credits: int


class Span(NamedTuple):
    """Moments from `begin` to before `end`, which are days in a time zone."""

    begin: datetime
    end: datetime
    time_zone: str


class UsagePlace(NamedTuple):
    """Where a page of usage ended."""

    day: date
    model: str
    tier: str


async def sums(db: Session) -> Sums:
    """Balance, reserved and available in one statement, so that they belong to one moment."""
    balance = select(func.coalesce(func.sum(CreditTransaction.amount), 0)).scalar_subquery()
    reserved = (
        select(func.coalesce(func.sum(CreditReservation.amount), 0))
        .where(CreditReservation.status == "held")
        .scalar_subquery()
    )
    available = (
        select(func.coalesce(func.sum(_FREE), 0))
        .where(Credit.valid_from <= func.now(), Credit.valid_until > func.now())
        .scalar_subquery()
    )
    row = (await db.execute(select(balance, reserved, available))).one()
    return Sums(int(row[0]), int(row[1]), int(row[2]))


async def valid_grants(db: Session) -> Sequence[tuple[str, int, datetime]]:
    """(source, credits left, valid until) of what may still be spent, in the order in which it will be."""
    statement = (
        select(Credit.source, _LEFT, Credit.valid_until)
        .where(Credit.valid_from <= func.now(), Credit.valid_until > func.now(), _LEFT > 0)
        .order_by(Credit.valid_until, Credit.created_at, Credit.id)
    )
    return [(source, left, until) for source, left, until in await db.execute(statement)]


async def movements(
    db: Session, limit: int, before: tuple[datetime, UUID] | None
) -> Sequence[CreditTransaction]:
    """Movements, newest first, older than `before` (moment and id of the last one seen)."""
    place = tuple_(CreditTransaction.created_at, CreditTransaction.id)
    statement = select(CreditTransaction)
    if before is not None:
        statement = statement.where(place < tuple_(literal(before[0]), literal(before[1])))
    statement = statement.order_by(CreditTransaction.created_at.desc(), CreditTransaction.id.desc())
    return (await db.scalars(statement.limit(limit))).all()


async def usage_by_day(db: Session, span: Span, limit: int, before: UsagePlace | None) -> Sequence[UsageRow]:
    """What was used on each day by each model in each tier: days from the newest, the others by name."""
    day = cast(func.timezone(span.time_zone, UsageRecord.created_at), Date)
    model, tier = UsageRecord.model_used, UsageRecord.gpu_tier
    statement = (
        select(day, model, tier, *_FIGURES)
        .where(UsageRecord.created_at >= span.begin, UsageRecord.created_at < span.end)
        .group_by(day, model, tier)
        .order_by(day.desc(), model, tier)
        .limit(limit)
    )
    if before is not None:
        behind = tuple_(model, tier) > tuple_(literal(before.model), literal(before.tier))
        statement = statement.where(or_(day < before.day, and_(day == before.day, behind)))
    return [UsageRow(*row) for row in await db.execute(statement)]


async def usage_total(db: Session, span: Span) -> tuple[int, Decimal, int]:
    """(jobs, GPU seconds, credits) of all days together."""
    statement = select(*_FIGURES).where(
        UsageRecord.created_at >= span.begin, UsageRecord.created_at < span.end
    )
    jobs, seconds, credits = (await db.execute(statement)).one()
    return jobs, seconds or Decimal(0), credits or 0


async def learnt(db: Session) -> dict[JobClass, Learnt]:
    """GPU seconds by class of job, as the scheduler learnt them last. They are nobody's."""
    rows = await db.scalars(select(CreditEstimate))
    return {
        JobClass(row.model_base, row.gpu_tier, row.size_class, row.steps_class): Learnt(
            row.samples, float(row.low_seconds), float(row.likely_seconds), float(row.high_seconds)
        )
        for row in rows
    }
