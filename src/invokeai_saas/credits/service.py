"""What a person has, what they spent it on, and what runs out when. Nothing here moves a credit."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from invokeai_saas.credits import repository
from invokeai_saas.credits.repository import Session
from invokeai_saas.credits.schemas import (
    Balance,
    DailyUsage,
    ExpiringCredits,
    HistoryPage,
    Movement,
    Usage,
    UsageFigures,
)
from invokeai_saas.errors import InvalidInput


async def balance(db: Session) -> Balance:
    """The caller's figures. They inform; the definer functions of the ledger decide every spend."""
    found = await repository.sums(db)
    return Balance(balance=found.balance, reserved=found.reserved, available=found.available)


async def expiring(db: Session) -> list[ExpiringCredits]:
    """What is left of each valid grant, the first to expire first."""
    grants = await repository.valid_grants(db)
    return [ExpiringCredits(source=s, amount=left, valid_until=until) for s, left, until in grants]


async def history(db: Session, limit: int, before: str | None) -> HistoryPage:
    """Movements, newest first.

    Parameters:
        limit: movements a page.
        before: the `next` of the page before this one.

    Raises:
        InvalidInput: `before` is none of ours.
    """
    rows = await repository.movements(db, limit + 1, _read_cursor(before) if before else None)
    items = [
        Movement(
            id=row.id,
            type=row.transaction_type,
            amount=row.amount,
            description=row.description,
            reference=row.reference_id,
            created_at=row.created_at,
        )
        for row in rows[:limit]
    ]
    more = len(rows) > limit
    return HistoryPage(items=items, next=_cursor(items[-1]) if more else None)


async def usage(db: Session, days: int) -> Usage:
    """Use of the last `days` days (UTC), today's included, by day and model."""
    since = datetime.combine(datetime.now(UTC).date() - timedelta(days=days - 1), time(tzinfo=UTC))
    rows = await repository.usage_by_day(db, since)
    items = [DailyUsage(**row._asdict()) for row in rows]
    total = UsageFigures(
        jobs=sum(item.jobs for item in items),
        gpu_seconds=sum((item.gpu_seconds for item in items), Decimal(0)),
        credits=sum(item.credits for item in items),
    )
    return Usage(since=since.date(), total=total, items=items)


def _cursor(movement: Movement) -> str:
    place = f"{movement.created_at.isoformat()}|{movement.id}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        moment, _, name = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        place = datetime.fromisoformat(moment), UUID(name)
        if place[0].tzinfo is None:
            raise ValueError("no time zone")
        return place[0].astimezone(UTC), place[1]
    except (binascii.Error, UnicodeError, ValueError, OverflowError) as error:
        raise InvalidInput(("before",), "Give the `next` of an earlier page, or leave it out.") from error
