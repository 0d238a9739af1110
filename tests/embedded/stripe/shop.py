"""Something to sell, and somebody to sell it to, at the local Stripe."""

from __future__ import annotations

from dataclasses import dataclass

from stripe import Customer, Price, Subscription
from stripe.test_helpers import TestClock

from tests.stripe_server import LocalStripe

NOON = 1_767_355_200  # 2 January 2026, 12:00 UTC
DAY = 86400


@dataclass
class Shop:
    local: LocalStripe
    starter: Price
    pro: Price
    pro_yearly: Price
    pack: Price

    def clock(self) -> TestClock:
        return self.local.client.v1.test_helpers.test_clocks.create({"frozen_time": NOON})

    def customer(self, *, card: str | None = "pm_card_visa", clock: TestClock | None = None) -> Customer:
        client = self.local.client
        customer = client.v1.customers.create(
            {"email": "ada@example.com", **({"test_clock": clock.id} if clock else {})}
        )
        if card:
            client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": card}})
        return customer

    def subscribe(self, customer: Customer, price: Price | None = None) -> Subscription:
        items = [{"price": (price or self.starter).id}]
        return self.local.client.v1.subscriptions.create({"customer": customer.id, "items": items})  # type: ignore[arg-type]

    def now(self, subscription: Subscription) -> Subscription:
        """As it is at the moment."""
        return self.local.client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})

    def kinds(self) -> list[str]:
        """Of all events, the oldest first."""
        found = self.local.client.v1.events.list({"limit": 100}).data
        return [event.type for event in reversed(found)]


def open_shop(local: LocalStripe) -> Shop:
    prices = local.client.v1.prices
    starter, pro, pack = (
        local.client.v1.products.create({"name": name}).id for name in ("Starter", "Pro", "Pack of 1,000")
    )
    month, year = {"interval": "month"}, {"interval": "year"}
    return Shop(
        local,
        prices.create({"product": starter, "currency": "usd", "unit_amount": 2500, "recurring": month}),  # type: ignore[typeddict-item]
        prices.create({"product": pro, "currency": "usd", "unit_amount": 7500, "recurring": month}),  # type: ignore[typeddict-item]
        prices.create({"product": pro, "currency": "usd", "unit_amount": 75000, "recurring": year}),  # type: ignore[typeddict-item]
        prices.create({"product": pack, "currency": "usd", "unit_amount": 500}),
    )
