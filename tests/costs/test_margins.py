"""Margins, from the rows that the migrations bring."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invokeai_saas.costs.margins import Offers, Pack, Plan, Tier, gifts, margins, stripe_fee
from invokeai_saas.costs.prices import load_prices
from invokeai_saas.costs.repository import read_offers
from tests.servers import TestDatabase

STRIPE = load_prices().stripe


@pytest.fixture
def offers(database: TestDatabase) -> Offers:
    return read_offers(database.owner)


def test_the_four_break_even_utilisations(offers: Offers) -> None:
    """Section 12 of the requirements: 2.9 %, 5.6 %, 23 %, and 182 % of a whole p4d."""
    credit = offers.list_credit_usd()
    assert credit == Decimal("0.005")
    assert round(offers.tier("basic").break_even(credit) * 100, 1) == Decimal("2.9")
    assert round(offers.tier("high_performance").break_even(credit) * 100, 1) == Decimal("5.6")
    assert round(offers.tier("dedicated").break_even(credit) * 100) == 23
    assert round(offers.tier("dedicated").break_even_alone(credit) * 100) == 182


@pytest.mark.parametrize(
    ("tier", "usd"), [("basic", "0.000146"), ("high_performance", "0.000279"), ("dedicated", "0.001138")]
)
def test_a_second_costs_what_its_instance_says(offers: Offers, tier: str, usd: str) -> None:
    assert round(offers.tier(tier).second_usd(), 6) == Decimal(usd)


def test_a_faster_rate_earns_more(offers: Offers) -> None:
    tier = offers.tier("basic")
    twice = tier.model_copy(update={"credits_per_second": Decimal(2)})
    assert twice.break_even(Decimal("0.005")) == tier.break_even(Decimal("0.005")) / 2


def test_every_way_to_buy(offers: Offers) -> None:
    found = {(one.sale.slug, one.sale.how, one.tier.tier) for one in margins(offers, STRIPE, Decimal(1))}
    plans = {
        (slug, how, tier)
        for slug, tier in (("starter", "basic"), ("pro", "high_performance"), ("studio", "high_performance"))
        for how in ("month", "year")
    }
    packs = {
        (f"pack-{credits}", "pack", tier)
        for credits in (1000, 5000, 15000)
        for tier in ("basic", "high_performance", "dedicated")
    }
    assert found == plans | packs


def test_starter_by_hand(offers: Offers) -> None:
    month, year = (one for one in margins(offers, STRIPE, Decimal("0.5")) if one.sale.slug == "starter")
    assert month.sale.fee == 25 * Decimal("0.036") + Decimal("0.30")  # 2.9 % and 0.7 %, and 30 cents
    assert month.sale.net_usd == Decimal("23.80") / 5000
    assert year.sale.net_usd == (250 - 250 * Decimal("0.036") - Decimal("0.30")) / 60_000
    assert month.cost_usd == Decimal("0.526") / 3600 * 2
    assert round(month.margin, 3) == Decimal("0.939")
    assert year.margin < month.margin


def test_what_is_given_away(offers: Offers) -> None:
    given = {one.plan.slug: one.usd for one in gifts(offers, Decimal("0.5"))}
    assert set(given) == {"trial", "tester"}
    assert round(given["trial"], 2) == Decimal("0.15")
    assert given["tester"] == given["trial"] * 100


def test_packs_have_no_share_of_billing() -> None:
    assert stripe_fee(Decimal(5), STRIPE, subscription=False) == Decimal("0.445")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    hour=st.decimals("0.01", "100", places=4),
    gpus=st.integers(1, 16),
    rate=st.decimals("0.1", "10", places=3),
    price=st.decimals("1", "1000", places=2),
    credits=st.integers(100, 100_000),
)
def test_at_break_even_nothing_is_left(
    hour: Decimal, gpus: int, rate: Decimal, price: Decimal, credits: int
) -> None:
    tier = Tier(
        tier="t",
        gpu="G",
        instance_type="i",
        gpus_per_instance=gpus,
        usd_per_hour=hour,
        credits_per_second=rate,
    )
    plan = Plan(
        slug="p", name="P", plan_type="paid", monthly_price=price, annual_price=None, monthly_credits=credits,
        gpu_tier="t",
    )  # fmt: skip
    offers = Offers(
        tiers=[tier], plans=[plan], packs=[Pack(slug="k", name="K", credits=credits, price=price)]
    )
    for one in margins(offers, STRIPE, Decimal(1)):
        (at_break_even, *_) = (
            other for other in margins(offers, STRIPE, one.break_even) if other.sale == one.sale
        )
        assert abs(at_break_even.margin) < Decimal("1e-20")
        assert (one.margin > 0) == (one.break_even < 1)
