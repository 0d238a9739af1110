"""The ledger's state machine, in small; `make nightly` runs the long one."""

from __future__ import annotations

import psycopg
import pytest

from tests.credits.machine import run
from tests.credits.world import World
from tests.servers import TestDatabase


def test_the_books_are_right_whatever_happens(database: TestDatabase) -> None:
    world = World(database)
    try:
        assert run(world, 12, 25, repeatable=True) >= 100
    finally:
        world.close()


def test_the_machine_sees_what_is_wrong(database: TestDatabase) -> None:
    """A check that cannot fail checks nothing: one credit used that nobody settled."""
    world = World(database)
    try:
        world.begin()
        world.do(world.grant(world.people[0], 1, 1))
        world.check()
        with psycopg.connect(database.owner) as connection:
            connection.execute("UPDATE credits SET used_credits = 1")
        with pytest.raises(AssertionError, match="balance is the sum of the ledger"):
            world.check()
    finally:
        world.close()
