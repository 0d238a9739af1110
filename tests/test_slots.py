"""Turns: so many at once, of one person one, and nobody's many stand before another's one."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from invokeai_saas.slots import Slots


async def test_so_many_at_once_and_of_one_person_one() -> None:
    slots, ada, others = Slots(2), uuid4(), [uuid4() for _ in range(3)]
    running: list[UUID] = []
    most = 0

    async def work(person: UUID) -> None:
        nonlocal most
        async with slots.turn(person):
            assert person not in running
            running.append(person)
            most = max(most, len(running))
            await asyncio.sleep(0.01)
            running.remove(person)

    await asyncio.gather(*(work(person) for person in [ada] * 5 + others * 3))
    assert most == 2


async def test_who_waits_with_many_stands_in_line_with_one() -> None:
    slots, ada, bob = Slots(1), uuid4(), uuid4()
    order: list[UUID] = []

    async def work(person: UUID) -> None:
        async with slots.turn(person):
            order.append(person)
            await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(work(ada)) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.gather(*tasks, work(bob))
    assert order.index(bob) <= 2


async def test_a_turn_ends_with_whatever_happens_in_it() -> None:
    slots, ada = Slots(1), uuid4()
    with pytest.raises(ValueError, match="broken"):
        async with slots.turn(ada):
            raise ValueError("broken")
    waiting = asyncio.create_task(asyncio.sleep(60))
    async with asyncio.timeout(1), slots.turn(ada):
        waiting.cancel()
