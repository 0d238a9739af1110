"""All SQL of the business figures: calls of the migrations' functions, which answer sums over everybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from invokeai_saas.costs.margins import Offers
from invokeai_saas.costs.repository import OFFERS


class Period(NamedTuple):
    """From `begin` to before `end`, both at midnight of UTC."""

    begin: datetime
    end: datetime


class Money(NamedTuple):
    """Payments of a day or a month, in US dollars."""

    period: date  # its first day
    paid: Decimal
    refunded: Decimal  # of these payments, whenever it was
    payments: int

    @property
    def net(self) -> Decimal:
        return self.paid - self.refunded


class Subscribers(NamedTuple):
    """Who is on a plan now."""

    plan: str
    plan_type: str
    billing_interval: str | None  # month or year; None where it was not sold
    people: int
    monthly_usd: Decimal


class Churn(NamedTuple):
    """Sold subscriptions of a month."""

    month: date
    alive: int  # when it began
    ended: int  # of those, in it

    @property
    def share(self) -> Decimal | None:
        return Decimal(self.ended) / self.alive if self.alive else None


class Activity(NamedTuple):
    """Whose jobs used credits on a day."""

    day: date
    people: int
    jobs: int
    credits: int


class Pictures(NamedTuple):
    """Made in an hour."""

    hour: datetime
    pictures: int


class Credits(NamedTuple):
    """Movements of a period by source; `outstanding` is of now."""

    source: str
    granted: int
    used: int
    expired: int
    taken_back: int
    outstanding: int


class Gpu(NamedTuple):
    """A tier's GPU time. `worker_seconds`: that workers were there, nought where none told."""

    tier: str
    jobs: int
    credits: int
    gpu_seconds: Decimal
    worker_seconds: Decimal


class Revenue(NamedTuple):
    """Earned in a period with what was bought as `origin`, by where it was used."""

    origin: str  # a plan, pack, or where free credits came from
    way: str  # used, expired, time
    tier: str | None
    credits: int
    gpu_seconds: Decimal
    usd: Decimal


class Deferred(NamedTuple):
    """Paid for and not earned yet."""

    origin: str
    credits: int
    usd: Decimal


Row = TypeVar("Row", bound=tuple[object, ...])


async def _rows(
    session: AsyncSession, row: type[Row], function: str, values: Mapping[str, object] | None = None
) -> list[Row]:
    marks = ", ".join(f":{name}" for name in values or {})
    found = await session.execute(text(f"SELECT * FROM {function}({marks})"), dict(values or {}))  # noqa: S608
    return [row(*line) for line in found]


def _span(period: Period) -> dict[str, object]:
    return {"begin": period.begin, "end": period.end}


async def money(session: AsyncSession, period: Period, unit: str) -> list[Money]:
    """Parameters: unit: day or month."""
    return await _rows(session, Money, "figures_money", {**_span(period), "unit": unit})


async def subscribers(session: AsyncSession) -> list[Subscribers]:
    return await _rows(session, Subscribers, "figures_subscriptions")


async def churn(session: AsyncSession, period: Period) -> list[Churn]:
    return await _rows(session, Churn, "figures_churn", _span(period))


async def activity(session: AsyncSession, period: Period) -> list[Activity]:
    return await _rows(session, Activity, "figures_activity", _span(period))


async def active_people(session: AsyncSession, period: Period) -> int:
    found = await session.execute(text("SELECT figures_active_people(:begin, :end)"), _span(period))
    return int(found.scalar_one())


async def pictures(session: AsyncSession, begin: datetime, end: datetime) -> list[Pictures]:
    return await _rows(session, Pictures, "figures_pictures", {"begin": begin, "end": end})


async def credits(session: AsyncSession, period: Period) -> list[Credits]:
    return await _rows(session, Credits, "figures_credits", _span(period))


async def gpus(session: AsyncSession, period: Period) -> list[Gpu]:
    return await _rows(session, Gpu, "figures_gpu", _span(period))


async def revenue(session: AsyncSession, period: Period) -> list[Revenue]:
    return await _rows(session, Revenue, "figures_revenue", _span(period))


async def deferred(session: AsyncSession) -> list[Deferred]:
    return await _rows(session, Deferred, "figures_deferred")


async def offers(session: AsyncSession) -> Offers:
    """What is sold, and on what it runs."""
    return Offers.model_validate((await session.execute(text(OFFERS))).scalar_one())
