"""The business in figures, gathered for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from invokeai_saas.costs.margins import Gift, Margin, Offers, gifts, margins
from invokeai_saas.costs.prices import load_prices
from invokeai_saas.figures import measuring, repository
from invokeai_saas.figures.measuring import Measured, TierMargin, TierTime
from invokeai_saas.figures.repository import (
    Activity,
    Churn,
    Credits,
    Deferred,
    Money,
    Period,
    Pictures,
    Revenue,
    Subscribers,
)

DAYS = 30
MONTHS = 12
HOURS = 48
ASSUMED = Decimal("0.5")  # utilisation where no worker told how long it was there


@dataclass(frozen=True)
class Dashboard:
    """All of the first page."""

    now: datetime
    months: list[Money]
    days: list[Money]
    subscribers: list[Subscribers]
    churn: list[Churn]
    activity: list[Activity]
    people: dict[int, int]  # active within the last 1, 7 and 30 days, today included
    hours: list[Pictures]
    credits: list[Credits]
    deferred: list[Deferred]
    times: list[TierTime]
    revenue: list[Revenue]

    @property
    def monthly_usd(self) -> Decimal:
        """Recurring revenue of a month; trials and testers bring none."""
        return sum((row.monthly_usd for row in self.subscribers), Decimal(0))

    @property
    def deferred_usd(self) -> Decimal:
        return sum((row.usd for row in self.deferred), Decimal(0))

    @property
    def earned_usd(self) -> Decimal:
        """In the last thirty days, as credits were used and expired."""
        return sum((row.usd for row in self.revenue), Decimal(0))

    @property
    def gpu_usd(self) -> Decimal:
        return sum((time.cost_usd for time in self.times), Decimal(0))


@dataclass(frozen=True)
class MarginReport:
    """Margins as the prices say, beside what they were."""

    period: Period
    utilisation: Decimal  # assumed
    offers: Offers
    modelled: list[Margin]
    given: list[Gift]
    tiers: list[TierMargin]
    measured: list[Measured]


def last_days(now: datetime, days: int) -> Period:
    """As many days of UTC, today the last of them."""
    end = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    return Period(end - timedelta(days=days), end)


def last_months(now: datetime, months: int) -> Period:
    """As many months of UTC, this one the last of them and whole."""
    count = now.year * 12 + now.month  # of months, to the one after this
    first = count - months
    return Period(
        datetime(first // 12, first % 12 + 1, 1, tzinfo=UTC),
        datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC),
    )


async def dashboard(session: AsyncSession, now: datetime) -> Dashboard:
    """Parameters: now: in UTC."""
    days, months = last_days(now, DAYS), last_months(now, MONTHS)
    offers = await repository.offers(session)
    return Dashboard(
        now=now,
        months=await repository.money(session, months, "month"),
        days=await repository.money(session, days, "day"),
        subscribers=await repository.subscribers(session),
        churn=await repository.churn(session, months),
        activity=await repository.activity(session, days),
        people={
            count: await repository.active_people(session, last_days(now, count)) for count in (1, 7, DAYS)
        },
        hours=await repository.pictures(session, now - timedelta(hours=HOURS - 1), now),
        credits=await repository.credits(session, days),
        deferred=await repository.deferred(session),
        times=measuring.tier_times(offers.tiers, await repository.gpus(session, days), ASSUMED),
        revenue=await repository.revenue(session, days),
    )


async def margin_report(session: AsyncSession, now: datetime, utilisation: Decimal) -> MarginReport:
    """Of the last thirty days.

    Parameters:
        now: in UTC.
        utilisation: share, above 0; of the model, and of tiers whose workers did not tell.
    """
    period = last_days(now, DAYS)
    offers = await repository.offers(session)
    stripe = load_prices().stripe
    revenue = await repository.revenue(session, period)
    times = measuring.tier_times(offers.tiers, await repository.gpus(session, period), utilisation)
    return MarginReport(
        period=period,
        utilisation=utilisation,
        offers=offers,
        modelled=margins(offers, stripe, utilisation),
        given=gifts(offers, utilisation),
        tiers=measuring.tier_margins(revenue, times),
        measured=measuring.measured(revenue, times),
    )


def summed(rows: Sequence[Revenue], way: str) -> Decimal:
    """Dollars that were earned in one way."""
    return sum((row.usd for row in rows if row.way == way), Decimal(0))
