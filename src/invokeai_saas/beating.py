"""Work of an API process that is its own only for as long as it says so: a row elsewhere names it alive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from invokeai_saas.errors import ServiceError

T = TypeVar("T")


async def while_beating(
    work: Coroutine[Any, Any, T], beat: Callable[[], Awaitable[None]], seconds: float
) -> T:
    """The work's result; `beat` is called every so many seconds meanwhile, and what it raises ends the work.

    That the database is away for a beat is no reason: the next one may get through.
    """

    async def beating() -> None:
        while True:
            await asyncio.sleep(seconds)
            with suppress(ServiceError):
                await beat()

    working, heart = asyncio.create_task(work), asyncio.create_task(beating())
    try:
        await asyncio.wait({working, heart}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await heart  # raises what ended it
        return working.result()
    finally:
        working.cancel()
        heart.cancel()
        await asyncio.wait({working, heart})
