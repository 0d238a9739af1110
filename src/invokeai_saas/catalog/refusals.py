"""The refusals of the OpenAPI document: which errors an operation can answer with, and the form of their bodies.

Worked out from what an operation depends on, in this one place, so that no endpoint lists them by hand and none is
forgotten. The errors themselves are those of `errors.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from invokeai_saas.errors import ServiceError
from invokeai_saas.identity.access import caller, limit_enqueue, media_caller, reader

_ERROR, _INVALID = "RefusedRequest", "InvalidRequest"
_ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["loc", "msg", "type"],
    "properties": {
        "loc": {"type": "array", "items": {"type": "string"}},
        "msg": {"type": "string"},
        "type": {"type": "string"},
    },
}
SCHEMAS: dict[str, Any] = {
    _ERROR: {
        "title": _ERROR,
        "description": "Why a request was refused. Some codes have facts beside them, such as `needed`.",
        "type": "object",
        "required": ["detail", "code"],
        "properties": {
            "detail": {"type": "string", "description": "What happened and what to do, for the person."},
            "code": {"type": "string", "description": "Stable, for programs."},
        },
    },
    _INVALID: {
        "title": _INVALID,
        "description": "Which parts of a request are wrong.",
        "type": "object",
        "required": ["detail", "code"],
        "properties": {
            "detail": {"type": "array", "items": _ENTRY},
            "code": {"type": "string", "description": "Stable, for programs."},
        },
    },
}


def describe_refusals(document: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Adds to each operation of a document the refusals that can come of it.

    Parameters:
        document: OpenAPI 3.1, changed in place.
        routes: those that the document describes.
    """
    document["components"]["schemas"].update(SCHEMAS)
    responses = {status: _response(status) for status in _codes()} | {400: _response(400)}
    for route in iter_route_contexts(routes):
        described = document["paths"].get(getattr(route, "path_format", None), {})
        for method in route.methods or ():
            operation = described.get(method.lower())
            if operation is not None:
                asked = set(_dependencies(getattr(route, "dependant", None)))
                for status in sorted(_statuses(method, operation, asked)):
                    operation["responses"].setdefault(str(status), responses[status])
                # The framework's own description of a 422 is not the body that we send.
                if "422" in operation["responses"]:
                    operation["responses"]["422"] = responses[422]


def _statuses(method: str, operation: dict[str, Any], asked: set[Callable[..., Any]]) -> set[int]:
    found = {429, 503}
    if asked & {caller, media_caller}:
        found |= {401, 403}
    if operation["parameters"]:
        found |= {404, 422}
    if method not in ("GET", "HEAD") and reader not in asked:
        found |= {401, 403, 409}
    if "requestBody" in operation:
        found |= {400, 404, 413, 422}
        if "multipart/form-data" in operation["requestBody"]["content"]:
            found |= {415, 507}
    if limit_enqueue in asked:
        found |= {402, 507}
    return found


def _dependencies(dependant: Dependant | None) -> Iterator[Callable[..., Any]]:
    if dependant is None:
        return
    if dependant.call is not None:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _dependencies(inner)


def _tree(error: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for child in error.__subclasses__():
        yield child
        yield from _tree(child)


def _codes() -> dict[int, list[str]]:
    """The codes of each status, from the tree of errors."""
    found: dict[int, list[str]] = {}
    for error in _tree(ServiceError):
        found.setdefault(error.status, []).append(error.code)
    return found


def _response(status: int) -> dict[str, Any]:
    schema = _INVALID if status == HTTPStatus.UNPROCESSABLE_ENTITY else _ERROR
    return {
        "description": _described(status, _codes().get(status, ())),
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _described(status: int, codes: Iterable[str]) -> str:
    named = ", ".join(f"`{code}`" for code in codes)
    return HTTPStatus(status).phrase + (f": {named}" if named else "")
