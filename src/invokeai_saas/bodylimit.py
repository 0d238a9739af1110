"""Refuses request bodies that are too large before they are read: by their declared length, or as they come in.

The framework has a limit too; it answers in plain text, and our refusals carry a code.
"""

from __future__ import annotations

from collections.abc import Mapping
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
        larger: bytes for the paths that take files, which are never held in memory whole.
    """

    def __init__(self, app: ASGIApp, limit: int, larger: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._limit = limit
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], self._limit)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            await _refuse(limit, scope, receive, send)
            return
        read = 0
        refused = False

        async def counted() -> Message:
            nonlocal read, refused
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
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
            await _refuse(limit, scope, receive, send)


async def _refuse(limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    error = PayloadTooLarge(f"A request may be {limit // 2**20} MiB long.")
    answer = JSONResponse(error.body(), status_code=error.status, headers={"Connection": "close"})
    await answer(scope, receive, send)
