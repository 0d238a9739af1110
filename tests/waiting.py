"""Waiting for what other processes do, with a bound."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

_Seen = TypeVar("_Seen")


@overload
async def eventually(look: Callable[[], Awaitable[_Seen | None]], seconds: float = ...) -> _Seen: ...
@overload
async def eventually(look: Callable[[], _Seen | None], seconds: float = ...) -> _Seen: ...
async def eventually(look: Callable[[], Any], seconds: float = 120.0) -> Any:
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
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not seen within {seconds} seconds")
        await asyncio.sleep(0.05)
