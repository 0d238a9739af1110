"""Stripe's test cards that this server knows: https://docs.stripe.com/testing."""

from __future__ import annotations

from typing import NamedTuple


class KnownCard(NamedTuple):
    """A card and what becomes of charges to it. `decline` is Stripe's decline code."""

    number: str
    brand: str
    decline: str | None = None
    refuses_to_be_saved: bool = False
    disputed: bool = False


CARDS = {
    card.number: card
    for card in (
        KnownCard("4242424242424242", "visa"),
        KnownCard("4000056655665556", "visa"),
        KnownCard("5555555555554444", "mastercard"),
        KnownCard("4000000000000341", "visa", "generic_decline"),  # is kept, and fails when it is charged
        KnownCard("4000000000000002", "visa", "generic_decline", refuses_to_be_saved=True),
        KnownCard("4000000000009995", "visa", "insufficient_funds", refuses_to_be_saved=True),
        KnownCard("4000000000000069", "visa", "expired_card", refuses_to_be_saved=True),
        KnownCard("4000000000000259", "visa", disputed=True),
    )
}
# Names that stand for cards where a payment method is expected.
NAMED = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_createDispute": "4000000000000259",
}
MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
}


def luhn(number: str) -> bool:
    """Whether the digits of a card number add up (ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
