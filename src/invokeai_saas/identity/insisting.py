"""What has to be written once somebody else has done their part, which cannot be done again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from invokeai_saas.errors import Unavailable

T = TypeVar("T")
_PAUSES = (0.2, 1.0, 3.0)  # seconds: a writer that changes is away for some


async def insisting(write: Callable[[], Awaitable[T]]) -> T:
    """The result of a transaction, which is tried again for some seconds while the database is away.

    A new password is one: where Cognito keeps it, it is good by now, and log-ins made with the old one have to end.

    Parameters:
        write: opens a transaction of its own each time.

    Raises:
        Unavailable: it still is.
    """
    for pause in _PAUSES:
        try:
            return await write()
        except Unavailable:
            await asyncio.sleep(pause)
    return await write()
