"""Refuses request bodies that are too large before they are read: by their declared length, or as they come in.

The framework has a limit too; it answers in plain text, and our refusals carry a code.
"""

from __future__ import annotations

from contextlib import suppress

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from invokeai_saas.errors import PayloadTooLarge


class BodyTooLong(Exception):
    """Raised into whoever reads a body past the limit."""


class BodyLimitMiddleware:
    """Plain ASGI.

    Parameters:
        limit: bytes.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._limit:
            await self._refuse(scope, receive, send)
            return
        read = 0
        refused = False

        async def counted() -> Message:
            nonlocal read, refused
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                refused = True
                raise BodyTooLong
            return message

        async def send_unless_refused(message: Message) -> None:
            # Whatever the reader made of the exception, the answer is ours.
            if not refused:
                await send(message)

        with suppress(BodyTooLong):
            await self._app(scope, counted, send_unless_refused)
        if refused:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = PayloadTooLarge(f"A request may be {self._limit // 2**20} MiB long.")
        answer = JSONResponse(error.body(), status_code=error.status, headers={"Connection": "close"})
        await answer(scope, receive, send)
