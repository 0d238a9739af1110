"""Answers made without a model per row: a page of pictures is a hundred dicts, not a hundred validated objects."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response

from invokeai_saas.gallery.lists import Fields
from invokeai_saas.gallery.wanted import Wanted
from invokeai_saas.identity.service import Person
from invokeai_saas.negotiation import is_fresh, packed
from invokeai_saas.services import Services

_JSON = "application/json"


class Paged(Protocol):
    """Query parameters of a page."""

    offset: int
    limit: int


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


async def page_answer(
    request: Request, shared: Services, person: Person, asked: Paged, wanted: Wanted, fields: Fields
) -> Response:
    """A page of what is wanted. Parameters: fields: makes an item of a row."""
    body = await shared.gallery.page(person.user_id, wanted, asked.offset, asked.limit, fields)
    return await json_bytes(request, body)


async def names_answer(
    request: Request, shared: Services, person: Person, wanted: Wanted, name: str, *, refs: bool = False
) -> Response:
    """All names of what is wanted, or 304. Parameters: name: of the list; refs: kinds with the names."""
    etag, body = await shared.gallery.names(
        person.user_id, wanted, name, partial(is_fresh, request), refs=refs
    )
    return not_modified(etag) if body is None else await json_bytes(request, body, etag)


def not_modified(etag: str) -> Response:
    """304: the caller has it already."""
    return Response(status_code=304, headers=_kept(etag))


def _kept(etag: str) -> dict[str, str]:
    return {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
