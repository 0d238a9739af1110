"""What every HTTP request gets: an id in the logs and the answer, a fresh token when one is due, a log line."""

from __future__ import annotations

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("request")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestMiddleware:
    """Plain ASGI: no task per request, no buffering."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        state = scope.setdefault("state", {})
        started = time.perf_counter()
        status = 500
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                answer["X-Request-ID"] = request_id
                answer.setdefault("X-Content-Type-Options", "nosniff")
                answer.setdefault("Referrer-Policy", "same-origin")
                refreshed = state.get("refreshed_token")
                if refreshed and status < 400:
                    answer["X-Refreshed-Token"] = refreshed
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
            elapsed = round((time.perf_counter() - started) * 1000, 1)
            log.debug("request", method=scope["method"], path=scope["path"], status=status, ms=elapsed)
