"""Margins as they were: what credits earned when they were used, against what their GPU time cost. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from invokeai_saas.costs.margins import Tier
from invokeai_saas.figures.repository import Gpu, Revenue

ZERO = Decimal(0)


@dataclass(frozen=True)
class TierTime:
    """A tier's GPU time in a period, and what it cost.

    Workers tell how long they were there; while they do not, or not for all of the time that jobs ran, the utilisation
    is the one that was assumed.
    """

    tier: Tier
    gpu: Gpu
    assumed: Decimal  # utilisation

    @property
    def known(self) -> bool:
        """Whether workers told of at least the time in which jobs ran."""
        return self.gpu.worker_seconds >= self.gpu.gpu_seconds and self.gpu.worker_seconds > 0

    @property
    def utilisation(self) -> Decimal | None:
        """As measured; None where it is not known."""
        return self.gpu.gpu_seconds / self.gpu.worker_seconds if self.known else None

    @property
    def cost_usd(self) -> Decimal:
        """Idle time included."""
        if self.known:
            return self.gpu.worker_seconds * self.tier.second_usd()
        return self.gpu.gpu_seconds * self.tier.second_usd(self.assumed)


@dataclass(frozen=True)
class Measured:
    """What an origin earned on a tier, and its share of what the tier cost."""

    origin: str
    tier: str
    credits: int
    gpu_seconds: Decimal
    revenue_usd: Decimal
    cost_usd: Decimal

    @property
    def margin(self) -> Decimal | None:
        """Share of the revenue that is left; None where nothing was earned."""
        return 1 - self.cost_usd / self.revenue_usd if self.revenue_usd else None


@dataclass(frozen=True)
class TierMargin:
    """A tier as a whole."""

    time: TierTime
    revenue_usd: Decimal

    @property
    def margin(self) -> Decimal | None:
        return 1 - self.time.cost_usd / self.revenue_usd if self.revenue_usd else None


def tier_times(tiers: Sequence[Tier], gpus: Sequence[Gpu], assumed: Decimal) -> list[TierTime]:
    """Parameters: assumed: utilisation, above 0, of tiers whose workers did not tell."""
    named = {tier.tier: tier for tier in tiers}
    return [TierTime(named[gpu.tier], gpu, assumed) for gpu in gpus]


def measured(revenue: Sequence[Revenue], times: Sequence[TierTime]) -> list[Measured]:
    """By origin and tier, dearest first in each. A tier's cost divides over its origins by their GPU seconds."""
    by_tier = {time.tier.tier: time for time in times}
    return list(_measured(revenue, by_tier))


def _measured(revenue: Sequence[Revenue], times: dict[str, TierTime]) -> Iterator[Measured]:
    for row in revenue:
        if row.way != "used" or row.tier is None:
            continue
        time = times[row.tier]
        total = time.gpu.gpu_seconds
        cost = time.cost_usd * row.gpu_seconds / total if total else ZERO
        yield Measured(row.origin, row.tier, row.credits, row.gpu_seconds, row.usd, cost)


def tier_margins(revenue: Sequence[Revenue], times: Sequence[TierTime]) -> list[TierMargin]:
    """Each tier with what was earned on it."""
    return [
        TierMargin(time, sum((row.usd for row in revenue if row.tier == time.tier.tier), ZERO))
        for time in times
    ]
