"""Spellings of one mailbox."""

from __future__ import annotations

import pytest

from invokeai_saas.errors import SetupError
from invokeai_saas.identity.addresses import folded
from invokeai_saas.identity.hashes import KeyedHashes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.com", "Ada+shop@EXAMPLE.com"),
        ("ada@example.com", "ada+a+b@example.com"),
        ("adalovelace@gmail.com", "Ada.Love.Lace+x@googlemail.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@bücher.example", "ADA+1@BÜCHER.example"),
        ("straße@example.com", "STRASSE@example.com"),
    ],
)
def test_one_mailbox(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.com", "ada@example.org"),
        ("ada@example.com", "ad.a@example.com"),  # elsewhere than at Gmail a dot is part of the name
        ("ada@gmail.com", "ada@example.com"),
        ("+a@example.com", "+b@example.com"),
        ("ada@example.com", "bob+ada@example.com"),
    ],
)
def test_two_mailboxes(one: str, other: str) -> None:
    assert folded(one) != folded(other)


def test_what_is_no_address_is_itself() -> None:
    assert folded(" No Address ") == "no address"


def test_hashes_are_the_installations_own_and_each_kinds_own() -> None:
    mine, theirs = KeyedHashes("a" * 32), KeyedHashes("b" * 32)
    assert mine.address("ada+x@example.com") == mine.address("ada@example.com")
    assert mine.address("ada@example.com") != theirs.address("ada@example.com")
    assert mine.address("ada@example.com") != mine.key("ada@example.com")
    with pytest.raises(SetupError, match="IDENTITY_SECRET"):
        KeyedHashes("short")
