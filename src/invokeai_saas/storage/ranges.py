"""Files that are played: whole or in ranges (RFC 9110, section 14), never held in memory whole.

The bytes come from the store in windows, each a request of its own. A player takes its time, and one long request
would run into the store's time limit; and a window is all that a slow reader keeps in this process.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from invokeai_saas.errors import Unavailable
from invokeai_saas.storage.objects import ChangedMeanwhile, ObjectStore, Piece

WINDOW = 2 * 1024 * 1024  # bytes
_RANGES = re.compile(r"bytes\s*=(.*)", re.IGNORECASE)
_RANGE = re.compile(r"\s*(\d{0,30})-(\d{0,30})\s*")
_FAR = 2**62  # past the end of any file
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')


class Span(NamedTuple):
    """A range as it was asked for, both ends included.

    Parameters:
        first: None for the `last` bytes of the file.
        last: None for all from `first`.
    """

    first: int | None
    last: int | None


class NotSatisfiable(Exception):
    """A range that says nothing, or lies outside of the file."""


def asked_span(header: str | None) -> Span | None:
    """The one range that a Range header asks for; None when the file is to be answered whole.

    Units that nobody knows, and several ranges at once, are answered with the whole, as the protocol allows.

    Raises:
        NotSatisfiable: it speaks of bytes and makes no sense.
    """
    found = _RANGES.fullmatch(header.strip()) if header else None
    if found is None or "," in found[1]:
        return None
    ends = _RANGE.fullmatch(found[1])
    if ends is None or ends[0].strip() == "-":
        raise NotSatisfiable
    first, last = (min(int(end), _FAR) if end else None for end in ends.groups())
    if (first is None and not last) or (first is not None and last is not None and last < first):
        raise NotSatisfiable
    return Span(first, last)


async def ranged_file(
    request: Request,
    objects: ObjectStore,
    key: str,
    media_type: str,
    headers: dict[str, str],
    unless: str | None,
) -> Response:
    """200 with a file, 206 with a range of it, 304, or 416 with its size.

    Parameters:
        headers: of whatever is answered.
        unless: a well-formed If-None-Match header.

    Raises NotFound, and Unavailable when the store can't be reached.
    """
    unless = (
        unless.removeprefix("W/") if unless else None
    )  # compared weakly (section 13.1.2), by a store that may not
    try:
        span = asked_span(request.headers.get("range"))
        match = request.headers.get("if-range") if span else None
        if match is not None and not _STRONG_ETAG.fullmatch(match):
            span = match = None  # a date, or a weak validator: nothing that could be compared
        try:
            first, end = await _ends(objects, key, span)
            start = await _first_piece(objects, key, first, min(end, first + WINDOW), match, unless)
        except ChangedMeanwhile:  # since the caller got what they have: all of it, then
            span, first, end = None, 0, _FAR
            start = await _first_piece(objects, key, first, WINDOW, None, unless)
    except NotSatisfiable:
        size = (await objects.head(key)).size
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    if start is None:
        named = {"ETag": unless} if unless and unless != "*" else {}
        return Response(status_code=304, headers=headers | named)
    end = min(end, start.size)
    headers = headers | {"Content-Length": str(end - first)} | ({"ETag": start.etag} if start.etag else {})
    if span is not None:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{start.size}"
    body = _windows(objects, key, start, first, end)
    return StreamingResponse(body, 206 if span else 200, headers=headers, media_type=media_type)


async def _ends(objects: ObjectStore, key: str, span: Span | None) -> tuple[int, int]:
    """From which byte up to which, not included."""
    if span is None:
        return 0, _FAR
    if span.first is not None:
        return span.first, _FAR if span.last is None else span.last + 1
    size = (await objects.head(key)).size
    return max(0, size - (span.last or 0)), size


async def _first_piece(
    objects: ObjectStore, key: str, first: int, end: int, match: str | None, unless: str | None
) -> Piece | None:
    try:
        return await objects.piece(key, first, end, match=match, unless=unless)
    except Unavailable:
        if first and first >= (await objects.head(key)).size:
            raise NotSatisfiable from None
        raise


async def _windows(
    objects: ObjectStore, key: str, start: Piece, first: int, end: int
) -> AsyncIterator[bytes]:
    yield start.data
    position = first + len(start.data)
    while position < end:
        piece = await objects.piece(key, position, min(end, position + WINDOW), match=start.etag)
        if piece is None or not piece.data:
            return  # the length that was promised does not come: the connection ends, as it must
        yield piece.data
        position += len(piece.data)
