"""Margins as they were, by hand."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invokeai_saas.costs.margins import Tier
from invokeai_saas.figures.measuring import measured, tier_margins, tier_times
from invokeai_saas.figures.repository import Gpu, Revenue

HALF = Decimal("0.5")


def _tier(name: str = "basic", hour: str = "3.6", gpus: int = 1) -> Tier:
    """3.60 an hour is a tenth of a cent a second."""
    return Tier(
        tier=name, gpu="T4", instance_type="i", gpus_per_instance=gpus, usd_per_hour=Decimal(hour),
        credits_per_second=Decimal(1),
    )  # fmt: skip


def _gpu(worked: int, there: int, tier: str = "basic") -> Gpu:
    return Gpu(tier, 1, worked, Decimal(worked), Decimal(there))


def _used(origin: str, seconds: int, usd: str, tier: str = "basic") -> Revenue:
    return Revenue(origin, "used", tier, seconds, Decimal(seconds), Decimal(usd))


def test_idle_time_costs_where_workers_told_of_it() -> None:
    (time,) = tier_times([_tier()], [_gpu(1000, 4000)], HALF)
    assert time.known
    assert time.utilisation == Decimal("0.25")
    assert time.cost_usd == 4


def test_an_assumed_utilisation_takes_the_place_of_what_is_not_told() -> None:
    for there in (0, 999):  # nothing, or less than jobs ran
        (time,) = tier_times([_tier()], [_gpu(1000, there)], HALF)
        assert not time.known
        assert time.utilisation is None
        assert time.cost_usd == 2


def test_a_tier_that_only_waited_costs_its_time() -> None:
    (time,) = tier_times([_tier()], [_gpu(0, 500)], HALF)
    assert time.utilisation == 0
    assert time.cost_usd == HALF
    (margin,) = tier_margins([], [time])
    assert margin.margin is None


def test_a_tiers_cost_divides_by_gpu_time() -> None:
    times = tier_times([_tier()], [_gpu(1000, 4000)], HALF)
    revenue = [
        _used("starter", 750, "3.75"), _used("trial", 250, "0"),
        Revenue("pack", "expired", None, 10, Decimal(0), Decimal("0.05")),
    ]  # fmt: skip
    starter, trial = measured(revenue, times)
    assert starter.cost_usd == 3
    assert starter.margin == Decimal("0.2")
    assert trial.cost_usd == 1
    assert trial.margin is None
    (tier,) = tier_margins(revenue, times)
    assert round(tier.margin or 0, 4) == round(1 - 4 / Decimal("3.75"), 4)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 10_000), min_size=1))
def test_the_parts_are_the_whole(parts: dict[str, int]) -> None:
    times = tier_times([_tier(gpus=8)], [_gpu(sum(parts.values()), 0)], HALF)
    found = measured([_used(origin, seconds, "1") for origin, seconds in parts.items()], times)
    assert round(sum(row.cost_usd for row in found) - times[0].cost_usd, 12) == 0
