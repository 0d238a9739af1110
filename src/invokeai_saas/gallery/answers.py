"""Answers made without a model per row: a page of pictures is a hundred dicts, not a hundred validated objects."""

from __future__ import annotations

import orjson
from starlette.responses import Response


def as_json(value: object) -> Response:
    """A JSON answer of what orjson knows: dicts, lists, dates, UUIDs."""
    return Response(orjson.dumps(value, option=orjson.OPT_UTC_Z), media_type="application/json")


def json_bytes(data: bytes) -> Response:
    """A JSON answer that something else wrote."""
    return Response(data, media_type="application/json")
