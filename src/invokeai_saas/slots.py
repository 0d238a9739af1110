"""Turns at work that takes much memory or time: so many at once in a process, and few of one person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary


class Slots:
    """Whoever has many things waiting stands in the line with few of them, so that others come in between.

    Parameters:
        count: how many turns there are at once.
        each: of one person.
    """

    def __init__(self, count: int, each: int = 1) -> None:
        self._each = each
        self._line = asyncio.Semaphore(count)
        self._persons: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, user_id: UUID) -> AsyncIterator[None]:
        """Waits for this person's turn and holds it."""
        own = self._persons.setdefault(user_id, asyncio.Semaphore(self._each))
        async with own, self._line:
            yield
