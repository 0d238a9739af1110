"""What a person has, what they spent it on, and what runs out when. Nothing here moves a credit."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from invokeai_saas.credits import repository
from invokeai_saas.credits.repository import Session, Span, UsagePlace
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

MAX_USAGE_DAYS = 366
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2200, 1, 1)


class UsageDays(NamedTuple):
    """Which days' use is asked for.

    Parameters:
        since: the first; None for the last `length` days.
        until: the last; None for today.
        time_zone: IANA name.
    """

    since: date | None
    until: date | None
    length: int
    time_zone: str


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


async def usage(db: Session, days: UsageDays, limit: int, before: str | None) -> Usage:
    """Use by day, model and tier.

    Parameters:
        limit: items a page.
        before: the `next` of the page before this one.

    Raises:
        InvalidInput: no such time zone, days in the wrong order or too many, or `before` is none of ours.
    """
    span, since, until = _span(days)
    rows = await repository.usage_by_day(db, span, limit + 1, _read_usage_cursor(before) if before else None)
    jobs, seconds, credits = await repository.usage_total(db, span)
    items = [DailyUsage(**row._asdict()) for row in rows[:limit]]
    return Usage(
        since=since,
        until=until,
        time_zone=days.time_zone,
        total=UsageFigures(jobs=jobs, gpu_seconds=seconds, credits=credits),
        items=items,
        next=_usage_cursor(items[-1]) if len(rows) > limit else None,
    )


def _span(days: UsageDays) -> tuple[Span, date, date]:
    """The moments that the days are, the first day and the last."""
    try:
        zone = ZoneInfo(days.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(("tz",), "Give a time zone by its IANA name, for example Asia/Seoul.") from error
    until = days.until or datetime.now(zone).date()
    if not _FIRST_DAY <= until <= _LAST_DAY:
        raise InvalidInput(("to",), f"Give a day between {_FIRST_DAY} and {_LAST_DAY}.")
    since = days.since or until - timedelta(days=days.length - 1)
    if not 0 <= (until - since).days < MAX_USAGE_DAYS:
        raise InvalidInput(("from",), f"Give a day before `to`, {MAX_USAGE_DAYS} days at most.")
    begin, end = (
        datetime.combine(day, time(), zone).astimezone(UTC) for day in (since, until + timedelta(days=1))
    )
    return Span(begin, end, days.time_zone), since, until


def _usage_cursor(item: DailyUsage) -> str:
    place = json.dumps([item.day.isoformat(), item.model, item.tier])
    return base64.urlsafe_b64encode(place.encode()).decode()


def _read_usage_cursor(cursor: str) -> UsagePlace:
    try:
        day, model, tier = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not all(isinstance(part, str) and "\0" not in part for part in (day, model, tier)):
            raise ValueError("no place")
        (model + tier).encode()  # half characters
        return UsagePlace(date.fromisoformat(day), model, tier)
    except (binascii.Error, UnicodeError, ValueError, TypeError, RecursionError) as error:
        raise InvalidInput(("before",), "Give the `next` of an earlier page, or leave it out.") from error


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
