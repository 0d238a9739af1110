"""Bodies that are documents of the page's own: read no further than allowed, and checked off the event loop."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from invokeai_saas.errors import InvalidInput, PayloadTooLarge
from invokeai_saas.queue.jsonwalk import json_problem

Checked = TypeVar("Checked", bound=BaseModel)


async def read_body(request: Request, limit: int, what: str) -> bytes:
    """The raw body.

    Parameters:
        limit: bytes.
        what: for the message, e.g. "A workflow".

    Raises:
        PayloadTooLarge: it is longer.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise PayloadTooLarge(f"{what} may have at most {limit} bytes.")
    return bytes(body)


def checked(model: type[Checked], value: object, place: tuple[str, ...], longest: int) -> Checked:
    """A document that the database can hold and the model accepts.

    Parameters:
        place: where it stands in the body, for messages.
        longest: characters that one text in it may have.

    Raises:
        InvalidInput: nested too deep, half characters, NUL, endless numbers.
        RequestValidationError: it does not have the model's shape; names the field.
    """
    problem = json_problem(value, longest)
    if problem:
        raise InvalidInput(place, problem)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise refused(error, place) from error


def refused(error: ValidationError, place: tuple[str | int, ...]) -> RequestValidationError:
    """The errors of a part of a body, as the framework tells those of a whole one."""
    return RequestValidationError(
        [entry | {"loc": ("body", *place, *entry["loc"])} for entry in error.errors(include_url=False)]
    )


def parse_json(data: bytes | str, place: tuple[str, ...]) -> Any:
    """Raises InvalidInput for what is no JSON, or is nested deeper than a parser goes."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(place, f"This is not valid JSON: {error}.") from error
