"""The monthly estimate: the deployment guide's lines, what it forgot, other sizes and environments."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invokeai_saas.costs.model import Estimate, estimate, forecast
from invokeai_saas.costs.prices import load_prices
from invokeai_saas.costs.usage import Environment, load_usages

USAGES, PRICES = load_usages(), load_prices()
LINES = {
    "fargate": 150, "gpu_basic": 380, "gpu_high_performance": 240, "aurora": 350, "cache": 200, "s3": 20,
    "cloudfront": 85, "efs": 60, "sqs": 1, "cognito": 0, "route53": 1, "cloudwatch": 30, "waf": 10, "secrets": 3,
}  # fmt: skip


def _month(environment: Environment = Environment.production, users: int | None = None) -> Estimate:
    return estimate(USAGES, PRICES, environment, users)


@pytest.mark.parametrize(("key", "usd"), LINES.items())
def test_each_line_of_the_guide_is_met_within_a_tenth_or_explained(key: str, usd: int) -> None:
    line = _month().line(key)
    assert line.guide_usd == usd
    assert abs(line.usd - usd) <= usd / Decimal(10) or line.note


def test_few_lines_need_an_explanation() -> None:
    """A note is no way to make any figure pass: these four differ, and all lines together by less than a tenth."""
    noted = {line.key for line in _month().lines if line.note and line.guide_usd is not None}
    assert noted == {"cache", "s3", "sqs", "secrets"}
    assert sum(LINES.values()) == 1530
    assert abs(_month().total(forgotten=False) / 1530 - 1) < Decimal("0.1")


@pytest.mark.parametrize(
    ("amount", "value"),
    [
        ("api_tasks", 2), ("task_vcpus", 2), ("task_gb", 4), ("aurora_acus", 4), ("cache_nodes", 1), ("s3_gb", 500),
        ("cloudfront_gb", 1024), ("efs_gb", 200), ("people_a_month", 100), ("zones", 1), ("secrets", 5),
    ],
)  # fmt: skip
def test_the_inputs_are_the_guides(amount: str, value: int) -> None:
    assert USAGES.production.amounts[amount].at(100) == value


def test_the_hours_of_gpus_are_the_guides() -> None:
    hours = {group.tier: group.worked_hours(100) for group in USAGES.production.gpus}
    assert hours == {"basic": 2 * 12, "high_performance": 8, "dedicated": 0}


def test_lines_by_hand() -> None:
    month = _month()
    assert month.line("fargate").usd == 2 * (2 * Decimal("0.04048") + 4 * Decimal("0.004445")) * 730
    assert month.line("nat").usd == 2 * 730 * Decimal("0.045") + 120 * Decimal("0.045")
    assert month.line("s3").usd == Decimal("11.5") + 240 * Decimal("0.005") + 600 * Decimal("0.0004")
    assert round(month.line("gpu_basic").usd) == 384  # 24 h x 30.4 days x 0.526


def test_what_the_guide_forgot_is_there() -> None:
    month = _month()
    forgotten = {line.key for line in month.lines if line.forgotten and not line.optional}
    assert {"nat", "alb", "transfer", "cache_replica", "gpu_high_performance_idle", "kms"} <= forgotten
    assert round(month.total() - month.total(forgotten=False) - month.total(forgotten=True), 9) == 0
    assert month.total() == sum(line.usd for line in month.lines if not line.optional)


def test_a_warm_p4d_is_told_and_in_no_total() -> None:
    warm = _month().line("gpu_dedicated_warm")
    assert round(warm.usd) == 23_922
    assert warm.optional
    assert _month().total() < warm.usd


@pytest.mark.parametrize(
    ("environment", "usd"),
    [(Environment.dev, 45), (Environment.staging, 90), (Environment.production, 350)],
)
def test_aurora_of_each_environment(environment: Environment, usd: int) -> None:
    line = _month(environment).line("aurora")
    assert line.guide_usd == usd
    assert abs(line.usd / usd - 1) < Decimal("0.1")


def test_environments_have_what_they_run() -> None:
    keys = {environment: {line.key for line in _month(environment).lines} for environment in Environment}
    assert not any(key.startswith("gpu_") for key in keys[Environment.dev])
    assert "gpu_basic_idle" in keys[Environment.staging]
    assert _month(Environment.dev).total() < _month(Environment.staging).total() < _month().total()


def test_staging_keeps_one_instance_outside_dawn() -> None:
    line = _month(Environment.staging).line("gpu_basic_idle")
    assert line.usd == 18 * PRICES.days_per_month * Decimal("0.526")


def test_a_forecast_names_groups_that_are_too_small() -> None:
    small, large = forecast(USAGES, PRICES, [100, 10_000])
    assert small.lines == _month().lines
    assert "133.3 instances" in large.line("gpu_basic").note
    assert all(line.guide_usd is None for line in large.lines)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 100_000), st.integers(0, 100_000))
def test_more_people_never_cost_less(users: int, more: int) -> None:
    assert _month(users=users).total() <= _month(users=users + more).total()
