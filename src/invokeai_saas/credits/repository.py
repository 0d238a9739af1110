"""All SQL that reads the ledger. Row-level security leaves nothing but the caller's own rows to see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Date, cast, func, literal, select, tuple_

from invokeai_saas.credits.tables import Credit, CreditReservation, CreditTransaction, UsageRecord
from invokeai_saas.db.session import ReadSession, WriteSession

Session = ReadSession | WriteSession

_FREE = Credit.total_credits - Credit.used_credits - Credit.reserved_credits - Credit.expired_credits
_LEFT = Credit.total_credits - Credit.used_credits - Credit.expired_credits


class Sums(NamedTuple):
    """Whole credits."""

    balance: int
    reserved: int
    available: int


class UsageRow(NamedTuple):
    day: date
    model: str
    jobs: int
    gpu_seconds: Decimal
    credits: int


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


async def usage_by_day(db: Session, since: datetime) -> Sequence[UsageRow]:
    """What was used on each day (UTC) by each model."""
    day = cast(func.timezone("UTC", UsageRecord.created_at), Date)
    statement = (
        select(
            day,
            UsageRecord.model_used,
            func.count(),
            func.sum(UsageRecord.compute_seconds),
            func.sum(UsageRecord.credits_consumed),
        )
        .where(UsageRecord.created_at >= since)
        .group_by(day, UsageRecord.model_used)
        .order_by(day.desc(), UsageRecord.model_used)
    )
    return [UsageRow(*row) for row in await db.execute(statement)]
