"""Answers made without a model per row: a page of pictures is a hundred dicts, not a hundred validated objects."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from invokeai_saas.negotiation import packed

_JSON = "application/json"


def as_json(value: object) -> Response:
    """A JSON answer of what orjson knows: dicts, lists, dates, UUIDs."""
    return Response(orjson.dumps(value, option=orjson.OPT_UTC_Z), media_type=_JSON)


async def json_bytes(request: Request, data: bytes, etag: str | None = None) -> Response:
    """A JSON answer that is written already, compressed for who takes that.

    Parameters:
        etag: its validator. The answer may then be kept by the person's browser, which asks each time.
    """
    headers = _kept(etag) if etag else {}
    return Response(await packed(request, data, headers), media_type=_JSON, headers=headers)


def not_modified(etag: str) -> Response:
    """304: the caller has it already."""
    return Response(status_code=304, headers=_kept(etag))


def _kept(etag: str) -> dict[str, str]:
    return {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
