"""A form with a file, as it comes in: nobody is waited for by others, and nobody is waited for without end.

The body goes to a temporary file. What is scarce meanwhile is room on this process's disk, which is counted as it is
used, and connections: so many at a time, few of one person, each at no less than a rate. Turns at work that takes
memory or a processor are taken when the file is here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.types import Message, Receive

from invokeai_saas.errors import Unavailable
from invokeai_saas.services import Services
from invokeai_saas.slots import Spool

_GRACE_SECONDS = 30.0  # in which the rate is not looked at
_TOO_SLOW = "The file took too long to come. Try again on a faster connection, or send a smaller one."


@asynccontextmanager
async def received_form(
    request: Request, shared: Services, user_id: UUID, *, seconds: float, max_fields: int, max_text: int
) -> AsyncIterator[FormData]:
    """The form, once it has come. No transaction may be open meanwhile.

    Parameters:
        seconds: that it may take to come.
        max_text: bytes of one of its texts.

    Raises:
        Unavailable: it comes too slowly, or there is no room for it on the disk.
    """
    async with shared.receiving.turn(user_id):
        body = _Body(request.receive, shared.spool, shared.settings.slowest_upload, seconds)
        try:
            asked = Request(request.scope, body.receive)
            async with asked.form(max_files=1, max_fields=max_fields, max_part_size=max_text) as form:
                yield form
        finally:
            body.forget()


class _Body:
    """Parameters: slowest: bytes a second."""

    def __init__(self, receive: Receive, spool: Spool, slowest: int, seconds: float) -> None:
        self._receive, self._spool, self._slowest = receive, spool, slowest
        self._began = asyncio.get_running_loop().time()
        self._until = self._began + seconds
        self._read = 0

    async def receive(self) -> Message:
        due = self._began + _GRACE_SECONDS + self._read / self._slowest
        try:
            async with asyncio.timeout_at(min(due, self._until)):
                message = await self._receive()
        except TimeoutError as error:
            raise Unavailable(_TOO_SLOW) from error
        size = len(message.get("body", b""))
        self._spool.take(size)
        self._read += size
        return message

    def forget(self) -> None:
        self._spool.give(self._read)
