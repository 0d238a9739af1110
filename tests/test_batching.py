"""Things that are sent in batches: in order, none twice, none waited for, and a bounded number of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from invokeai_saas.batching import Batches
from tests.waiting import eventually


class Sent:
    """Keeps batches; each waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.fails = False

    async def send(self, due: Sequence[int]) -> None:
        self.batches.append(list(due))
        await self.open.wait()
        if self.fails:
            raise ConnectionError("away")


async def test_what_comes_meanwhile_goes_together_and_in_order() -> None:
    sent = Sent()
    batches = Batches("numbers", sent.send, most=100)
    batches.add(1)
    await eventually(lambda: bool(sent.batches))
    for number in (2, 3, 4):
        batches.add(number)
    sent.open.set()
    await batches.close()
    assert sent.batches == [[1], [2, 3, 4]]


async def test_a_batch_that_failed_is_lost_and_the_next_one_goes() -> None:
    sent = Sent()
    sent.open.set()
    sent.fails = True
    batches = Batches("numbers", sent.send, most=100)
    batches.add(1)
    await batches.close()
    sent.fails = False
    batches.add(2)
    await batches.close()
    assert sent.batches == [[1], [2]]


async def test_no_more_wait_than_may() -> None:
    sent = Sent()
    batches = Batches("numbers", sent.send, most=2)
    batches.add(0)
    await eventually(lambda: bool(sent.batches))
    for number in range(1, 6):
        batches.add(number)
    sent.open.set()
    await batches.close()
    assert sent.batches == [[0], [1, 2]]
    batches.add(9)
    await batches.close()
    assert sent.batches[-1] == [9]


async def test_closing_waits_no_longer_than_seconds() -> None:
    sent = Sent()
    batches = Batches("numbers", sent.send, most=2)
    batches.add(1)
    await asyncio.wait_for(batches.close(), 120)
    assert sent.batches == [[1]]
