"""Sending small things in batches, so that nobody waits for them and many cost little more than one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)
T = TypeVar("T")

_CLOSING_SECONDS = 2.0


class Batches(Generic[T]):
    """What is added while a batch is under way goes with the next one, in the order in which it was added.

    Parameters:
        name: of these things, for logs.
        send: takes a batch. What it raises is logged, and the batch is lost.
        most: things that may wait; what comes then is lost, and the log says so once until there is room again.
    """

    def __init__(self, name: str, send: Callable[[Sequence[T]], Awaitable[None]], most: int) -> None:
        self._name = name
        self._send = send
        self._most = most
        self._due: list[T] = []
        self._full = False
        self._task: asyncio.Task[None] | None = None

    def add(self, thing: T) -> None:
        """Returns at once. To be called in the loop that sends."""
        if len(self._due) >= self._most:
            if not self._full:
                log.warning("batches_full", things=self._name, waiting=len(self._due))
            self._full = True
            return
        self._due.append(thing)
        if self._task is None:
            # A context of its own: a batch belongs to no request.
            self._task = asyncio.get_running_loop().create_task(self._send_all(), context=Context())

    async def _send_all(self) -> None:
        try:
            while self._due:
                due, self._due, self._full = self._due, [], False
                try:
                    await self._send(due)
                except Exception as error:
                    log.warning("batch_lost", things=self._name, number=len(due), error=repr(error))
        finally:
            self._task = None

    async def close(self) -> None:
        """Sends what is due, within seconds."""
        task = self._task
        if task is not None:
            await asyncio.wait([task], timeout=_CLOSING_SECONDS)
            task.cancel()
