"""What every HTTP request gets: an id in the logs and the answer, a fresh token when one is due, a log line.

Errors that nobody foresaw end here rather than in the framework's outermost layer, which knows no request id.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from invokeai_saas.observability.metrics import ApiMetrics

log = structlog.get_logger("request")
_UNFORESEEN = {
    "detail": "Something went wrong on our side. We have been told; please try again.",
    "code": "internal_error",
}
_SLOW = 5.0  # seconds
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestMiddleware:
    """Plain ASGI: no task per request, no buffering.

    Parameters:
        metrics: counts answers, where figures are served.
    """

    def __init__(self, app: ASGIApp, metrics: ApiMetrics | None = None) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        state = scope.setdefault("state", {})
        started = time.perf_counter()
        status = 0  # of the answer, once it has begun
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
        except Exception as error:
            log.error("request_failed", path=scope["path"], exc_info=error)
            if status:
                raise  # half an answer is out: the server cuts the connection
            await JSONResponse(_UNFORESEEN, status_code=500)(scope, receive, send_with_headers)
        finally:
            elapsed = time.perf_counter() - started
            if self._metrics is not None:
                self._metrics.answered(scope, status, elapsed)
            # The load balancer's log has every request; ours those that are worth a look.
            say = log.info if status >= 500 or elapsed > _SLOW else log.debug
            say(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round(elapsed * 1000, 1),
            )
            structlog.contextvars.unbind_contextvars("request_id", "tenant")
