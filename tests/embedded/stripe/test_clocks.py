"""Test clocks themselves: https://docs.stripe.com/api/test_clocks."""

from __future__ import annotations

import pytest
import stripe

from tests.embedded.stripe.shop import open_shop
from tests.stripe_server import LocalStripe


def test_customers_go_with_their_clock(local: LocalStripe) -> None:
    shop = open_shop(local)
    clock, client = shop.clock(), local.client.v1
    hers, his = shop.customer(clock=clock), shop.customer()
    subscription = shop.subscribe(hers)
    assert client.test_helpers.test_clocks.delete(clock.id).deleted
    assert client.customers.retrieve(hers.id).deleted
    assert shop.now(subscription).status == "canceled"
    assert client.customers.retrieve(his.id).email == "ada@example.com"
    with pytest.raises(stripe.InvalidRequestError):
        client.test_helpers.test_clocks.retrieve(clock.id)
