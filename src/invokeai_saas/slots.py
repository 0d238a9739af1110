"""Turns at work that takes much memory or time, so many at once in a process and few of one person; and its disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

from invokeai_saas.errors import Unavailable


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


class Spool:
    """Room for files that lie on this process's disk for a while.

    Parameters:
        most: bytes, of all files together.
    """

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self, size: int) -> None:
        """Raises Unavailable when there are not so many bytes left."""
        if size > self._left:
            raise Unavailable(
                "Too many files are being uploaded right now. Please try again.", retry_after=60
            )
        self._left -= size

    def give(self, size: int) -> None:
        """Bytes that were taken, and are free again."""
        self._left += size
