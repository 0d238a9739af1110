"""Commitments and thrift."""

from __future__ import annotations

from decimal import Decimal

from invokeai_saas.costs.model import estimate
from invokeai_saas.costs.prices import load_prices
from invokeai_saas.costs.saving import commitments, savings
from invokeai_saas.costs.usage import Environment, load_usages

USAGES, PRICES = load_usages(), load_prices()


def test_a_reservation_pays_from_its_break_even_on() -> None:
    for one in commitments(USAGES, PRICES):
        assert round(one.break_even_hours * one.hour_usd - 24 * one.reserved_hour_usd, 9) == 0
        assert 0 < one.break_even_hours < 24


def test_both_regions_are_told() -> None:
    found = {(one.region, one.instance): one.hour_usd for one in commitments(USAGES, PRICES)}
    assert found["us-east-1", "g4dn.xlarge"] == Decimal("0.526")
    assert found["ap-northeast-2", "g4dn.xlarge"] == Decimal("0.647")
    assert found["us-east-1", "p4d.24xlarge"] == Decimal("21.957642")  # what AWS lists now


def test_the_minimum_reserved_by_hand() -> None:
    first = commitments(USAGES, PRICES)[0]
    assert (first.instances, first.kept_hours) == (1, 18)
    assert first.month_usd is not None
    assert round(first.month_usd, 2) == round(
        Decimal(730) / 24 * (18 * Decimal("0.526") - 24 * Decimal("0.331")), 2
    )


def test_without_a_minimum_nothing_is_promised() -> None:
    assert [one.month_usd for one in commitments(USAGES, PRICES) if one.instance.startswith("p4d")] == [
        None,
        None,
    ]


def test_savings_are_parts_of_the_estimate() -> None:
    month = estimate(USAGES, PRICES, Environment.production)
    found = {one.name: one for one in savings(USAGES, PRICES)}
    gpus = sum(line.usd for line in month.lines if line.key.startswith("gpu_") and not line.optional)
    assert found["Spot"].month_usd == gpus * Decimal("0.6")
    assert found["S3 lifecycle"].month_usd == 300 * Decimal("0.0105")
    assert found["Compute Savings Plan, a year"].month_usd == month.line("fargate").usd * Decimal("0.2")
    assert {one.name for one in found.values() if one.counted} == {
        "Scale-down at dawn, basic", "Scale-down at dawn, high_performance", "ACU floor of 0.5",
    }  # fmt: skip


def test_more_people_have_more_to_save() -> None:
    small, large = savings(USAGES, PRICES, 100), savings(USAGES, PRICES, 1000)
    assert sum(one.month_usd for one in small) < sum(one.month_usd for one in large)
