"""What a client has already and what it can read: conditional requests and compression (RFC 9110)."""

from __future__ import annotations

import asyncio
import gzip
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request

_WORTH_PACKING = 16 * 1024  # bytes; less is sent as quickly plain
# One thread for long ones, and it steps back for whoever else wants the core: small questions must not wait for it.
_packers = ThreadPoolExecutor(
    max_workers=1,
    thread_name_prefix="pack",
    initializer=lambda: os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10),
)
_INLINE = 64 * 1024  # bytes that are packed in less time than a thread takes to be asked


def accepts_gzip(request: Request) -> bool:
    """Whether Accept-Encoding names gzip without refusing it (RFC 9110, 12.5.3)."""
    for part in request.headers.get("accept-encoding", "").split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return weight.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def is_fresh(request: Request, etag: str) -> bool:
    """Whether the client's If-None-Match names this content already (RFC 9110, 13.1.2: weak comparison)."""
    given = request.headers.get("if-none-match", "")
    known = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return etag.removeprefix("W/") in known or "*" in known


async def packed(request: Request, body: bytes, headers: dict[str, str]) -> bytes:
    """The body as the client takes it, and in `headers` what tells so. Long ones are packed off the event loop."""
    headers["Vary"] = ", ".join(filter(None, [headers.get("Vary"), "Accept-Encoding"]))
    if len(body) < _WORTH_PACKING or not accepts_gzip(request):
        return body
    headers["Content-Encoding"] = "gzip"
    if len(body) <= _INLINE:
        return gzip.compress(body, 1)
    return await asyncio.get_running_loop().run_in_executor(_packers, gzip.compress, body, 1)
