"""What a credit brings and what its second costs, by plan and tier. Pure functions over the rows of plans, packs and
tiers: no price of ours stands in code.

    cost of a GPU second = instance price an hour / GPUs of the instance / 3600 / utilisation
    cost of a credit     = cost of a GPU second / credits that a second costs on the tier
    break-even           = the utilisation at which a credit costs what it brings

Utilisation is the share of the time that is paid for in which a GPU works on what somebody pays for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from invokeai_saas.costs.prices import Stripe


class Tier(BaseModel):
    """A row of gpu_tiers."""

    model_config = ConfigDict(frozen=True)

    tier: str
    gpu: str
    instance_type: str
    gpus_per_instance: int
    usd_per_hour: Decimal  # an instance
    credits_per_second: Decimal

    def second_usd(self, utilisation: Decimal = Decimal(1)) -> Decimal:
        """What a second of one GPU costs that somebody pays for."""
        return self.usd_per_hour / self.gpus_per_instance / 3600 / utilisation

    def credit_usd(self, utilisation: Decimal = Decimal(1)) -> Decimal:
        """What the GPU costs for one credit."""
        return self.second_usd(utilisation) / self.credits_per_second

    def break_even(self, credit_usd: Decimal) -> Decimal:
        """The utilisation at which a credit costs what it brings. Above 1: it never pays."""
        return self.credit_usd() / credit_usd

    def break_even_alone(self, credit_usd: Decimal) -> Decimal:
        """The same where one GPU works and the instance's others are idle."""
        return self.break_even(credit_usd) * self.gpus_per_instance


class Plan(BaseModel):
    """A row of subscription_plans. None: custom or unlimited."""

    model_config = ConfigDict(frozen=True)

    slug: str
    name: str
    plan_type: str
    monthly_price: Decimal | None
    annual_price: Decimal | None
    monthly_credits: int | None
    gpu_tier: str


class Pack(BaseModel):
    """A row of credit_packs."""

    model_config = ConfigDict(frozen=True)

    slug: str
    name: str
    credits: int
    price: Decimal


class Offers(BaseModel):
    """All that is sold, and on what it runs."""

    model_config = ConfigDict(frozen=True)

    tiers: list[Tier]
    plans: list[Plan]
    packs: list[Pack]

    def tier(self, name: str) -> Tier:
        return next(tier for tier in self.tiers if tier.tier == name)

    def list_credit_usd(self) -> Decimal | None:
        """What a credit costs who buys the fewest; None where no packs are sold."""
        smallest = min(self.packs, key=lambda pack: pack.credits, default=None)
        return None if smallest is None else smallest.price / smallest.credits


@dataclass(frozen=True)
class Sale:
    """One way to buy credits: one charge, `credits` for `price` dollars."""

    slug: str
    how: Literal["month", "year", "pack"]
    price: Decimal
    credits: int
    fee: Decimal  # that Stripe keeps of the charge

    @property
    def gross_usd(self) -> Decimal:
        """What a person pays for a credit."""
        return self.price / self.credits

    @property
    def net_usd(self) -> Decimal:
        """What we get for a credit."""
        return (self.price - self.fee) / self.credits


@dataclass(frozen=True)
class Margin:
    """A sale on a tier, at a utilisation, all of its credits spent."""

    sale: Sale
    tier: Tier
    utilisation: Decimal

    @property
    def cost_usd(self) -> Decimal:
        """GPU cost of a credit."""
        return self.tier.credit_usd(self.utilisation)

    @property
    def margin(self) -> Decimal:
        """Share of what we get that is left after the GPU."""
        return 1 - self.cost_usd / self.sale.net_usd

    @property
    def break_even(self) -> Decimal:
        """The utilisation at which nothing is left, after Stripe's fee."""
        return self.tier.break_even(self.sale.net_usd)


@dataclass(frozen=True)
class Gift:
    """A plan that brings nothing: what one period of it costs when it is spent."""

    plan: Plan
    tier: Tier
    usd: Decimal


def stripe_fee(price: Decimal, stripe: Stripe, *, subscription: bool) -> Decimal:
    """What Stripe keeps of one charge, in dollars."""
    share = stripe.card_share + (stripe.billing_share if subscription else 0)
    return price * share + stripe.card_fixed


def sales_of(plan: Plan, stripe: Stripe) -> Iterator[Sale]:
    """By the month and by the year; none of a plan without a price or without a number of credits."""
    if not plan.monthly_credits:
        return
    if plan.monthly_price:
        fee = stripe_fee(plan.monthly_price, stripe, subscription=True)
        yield Sale(plan.slug, "month", plan.monthly_price, plan.monthly_credits, fee)
    if plan.annual_price:
        fee = stripe_fee(plan.annual_price, stripe, subscription=True)
        yield Sale(plan.slug, "year", plan.annual_price, plan.monthly_credits * 12, fee)


def margins(offers: Offers, stripe: Stripe, utilisation: Decimal) -> list[Margin]:
    """Every way to buy on every tier where its credits can be spent: packs on each tier of a paid plan.

    Parameters:
        utilisation: share, above 0.
    """
    found = [
        Margin(sale, offers.tier(plan.gpu_tier), utilisation)
        for plan in offers.plans
        for sale in sales_of(plan, stripe)
    ]
    paid = {plan.gpu_tier for plan in offers.plans if plan.plan_type == "paid"}
    for pack in offers.packs:
        fee = stripe_fee(pack.price, stripe, subscription=False)
        sale = Sale(pack.slug, "pack", pack.price, pack.credits, fee)
        found += [Margin(sale, tier, utilisation) for tier in offers.tiers if tier.tier in paid]
    return found


def gifts(offers: Offers, utilisation: Decimal) -> list[Gift]:
    """Plans that are given away, with what a period of them costs."""
    found = []
    for plan in offers.plans:
        if plan.plan_type != "paid" and plan.monthly_credits:
            tier = offers.tier(plan.gpu_tier)
            found.append(Gift(plan, tier, plan.monthly_credits * tier.credit_usd(utilisation)))
    return found
