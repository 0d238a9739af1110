"""How figures are written, drawn and dated."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from invokeai_saas.figures.charts import HEIGHT, WIDTH, bars
from invokeai_saas.figures.service import last_days, last_months
from invokeai_saas.figures.showing import dollars, hours, percent


@pytest.mark.parametrize(
    ("amount", "text"), [(None, "–"), (0, "$0.00"), (Decimal("1234.5"), "$1,234.50"), (Decimal("-0.5"), "−$0.50"),
                         (Decimal("-0.001"), "$0.00")],
)  # fmt: skip
def test_dollars(amount: Decimal | None, text: str) -> None:
    assert dollars(amount) == text


def test_shares_and_hours() -> None:
    assert (percent(Decimal("0.0292")), percent(Decimal("-1.5")), percent(None)) == ("2.9%", "−150.0%", "–")
    assert hours(Decimal(5400)) == "1.5 h"


def test_bars_stand_side_by_side_and_the_highest_fills_the_drawing() -> None:
    chart = bars("Jobs", [("Mon", 0), ("Tue", 10), ("Wed", 5)])
    assert [bar.height for bar in chart.bars] == [0, HEIGHT, HEIGHT / 2]
    assert all(bar.y + bar.height == HEIGHT for bar in chart.bars)
    ends = [(bar.x, bar.x + bar.width) for bar in chart.bars]
    assert all(end <= begin for (_, end), (begin, _) in pairwise(ends))
    assert ends[0][0] >= 0
    assert ends[-1][1] <= WIDTH
    assert chart.said == "Jobs, Mon to Wed: last 5, highest 10 (Tue)."


def test_nothing_is_drawn_of_nothing() -> None:
    assert bars("Jobs", []).said == "Jobs: nothing yet."
    assert [bar.height for bar in bars("Jobs", [("Mon", 0)]).bars] == [0]


@pytest.mark.parametrize(
    ("now", "first", "after"),
    [
        (datetime(2026, 11, 29, 23, tzinfo=UTC), (2025, 12), (2026, 12)),
        (datetime(2026, 12, 1, tzinfo=UTC), (2026, 1), (2027, 1)),
        (datetime(2027, 1, 31, tzinfo=UTC), (2026, 2), (2027, 2)),
    ],
)
def test_twelve_months_end_with_this_one(
    now: datetime, first: tuple[int, int], after: tuple[int, int]
) -> None:
    found = last_months(now, 12)
    assert (found.begin.year, found.begin.month) == first
    assert (found.end.year, found.end.month) == after
    assert found.begin.day == found.end.day == 1


def test_thirty_days_end_with_today() -> None:
    found = last_days(datetime(2026, 3, 1, 12, tzinfo=UTC), 30)
    assert (found.begin.isoformat(), found.end.isoformat()) == (
        "2026-01-31T00:00:00+00:00", "2026-03-02T00:00:00+00:00",
    )  # fmt: skip
