"""Prices at Stripe's for what our rows sell: found by lookup key, made when a row's price is new."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from stripe import Price, StripeClient

from invokeai_saas.billing.tables import CreditPack, SubscriptionPlan

CURRENCY = "usd"


@dataclass(frozen=True)
class Offer:
    """What a price is to be.

    Parameters:
        key: Stripe's lookup key; it stays with the newest price of a thing.
        cents: the price.
        interval: month or year; None for what is paid once.
        metadata: how we recognise it later, whatever the row says by then.
    """

    key: str
    name: str
    cents: int
    interval: str | None
    metadata: dict[str, str]


def plan_offer(plan: SubscriptionPlan, interval: str) -> Offer | None:
    """The offer of a plan a month or a year; None where it has no such price."""
    price = plan.monthly_price if interval == "month" else plan.annual_price
    if price is None or price <= 0:
        return None
    metadata = {"plan_id": str(plan.id), "interval": interval}
    return Offer(f"plan:{plan.slug}:{interval}", plan.name, _cents(price), interval, metadata)


def pack_offer(pack: CreditPack) -> Offer:
    return Offer(f"pack:{pack.slug}", pack.name, _cents(pack.price), None, {"pack": pack.slug})


def _cents(price: Decimal) -> int:
    return int((price * 100).to_integral_value())


async def price_of(client: StripeClient, offer: Offer) -> str:
    """The id of an offer's price at Stripe.

    A row whose price was changed gets a new price of the same product; who has the old one keeps it.
    """
    known = (await client.v1.prices.list_async({"lookup_keys": [offer.key]})).data
    for price in known:
        if _is(price, offer):
            return price.id
    product = str(known[0].product) if known else await _product(client, offer)
    made = await client.v1.prices.create_async(
        {
            "product": product,
            "currency": CURRENCY,
            "unit_amount": offer.cents,
            "lookup_key": offer.key,
            "transfer_lookup_key": True,
            "nickname": offer.name,
            "metadata": offer.metadata,
            **({"recurring": {"interval": offer.interval}} if offer.interval else {}),  # type: ignore[typeddict-item]
        }
    )
    return made.id


def _is(price: Price, offer: Offer) -> bool:
    metadata = price.metadata.to_dict()
    return price.unit_amount == offer.cents and price.active and offer.metadata.items() <= metadata.items()


async def _product(client: StripeClient, offer: Offer) -> str:
    made = await client.v1.products.create_async(
        {"name": offer.name, "metadata": offer.metadata},
        {"idempotency_key": f"product:{offer.key}:{offer.name}"},
    )
    return made.id
