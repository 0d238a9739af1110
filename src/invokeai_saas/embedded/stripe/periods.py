"""Billing periods: months and years from an anchor, with the anchor's day wherever the month has it."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def after(anchor: int, interval: str, count: int) -> int:
    """The moment that lies `count` intervals after the anchor, both in seconds since 1970.

    A subscription of the 31st renews on the last day of shorter months, and on the 31st again after them.
    """
    start = datetime.fromtimestamp(anchor, UTC)
    if interval in _DAYS:
        return int((start + timedelta(days=_DAYS[interval] * count)).timestamp())
    months = start.year * 12 + start.month - 1 + _MONTHS[interval] * count
    year, month = divmod(months, 12)
    day = min(start.day, monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def following(anchor: int, interval: str, interval_count: int, moment: int) -> int:
    """The end of the period that begins at, or holds, a moment."""
    count = interval_count
    while after(anchor, interval, count) <= moment:
        count += interval_count
    return after(anchor, interval, count)
