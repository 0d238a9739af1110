"""Waiting for what other processes do, with a bound."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_Seen = TypeVar("_Seen")


async def eventually(
    look: Callable[[], _Seen | Awaitable[_Seen | None] | None], seconds: float = 30.0
) -> _Seen:
    """Looks until it sees something true, and answers it.

    Raises:
        AssertionError: it was not seen in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return seen  # type: ignore[return-value]
        if time.monotonic() > deadline:
            raise AssertionError(f"not seen within {seconds} seconds")
        await asyncio.sleep(0.05)
