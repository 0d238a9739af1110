"""Whether an answer is what the `stripe` library's types say: its required attributes, each of its type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, cast, get_args, get_origin

from stripe import ListObject, StripeObject

from invokeai_saas.embedded.stripe.shapes import class_of, fields, is_optional, members


def problems(value: Any, hint: Any, path: str = "") -> Iterator[str]:
    """What is missing, unknown or of another type, by path."""
    parts = members(hint)
    if Any in parts or any(_fits(value, part) for part in parts):
        yield from _within(value, parts, path)
    else:
        yield f"{path}: {value!r} is no {hint}"


def _fits(value: Any, part: Any) -> bool:
    if get_origin(part) is Literal:
        return value in get_args(part)
    kind = get_origin(part) or part
    if kind is list:
        return isinstance(value, list)
    if isinstance(kind, type) and issubclass(kind, StripeObject):
        return isinstance(value, dict)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(kind, type) and kind.__name__ == "Decimal":
        return isinstance(value, str)  # on the wire
    return isinstance(kind, type) and isinstance(value, kind)


def _within(value: Any, parts: tuple[Any, ...], path: str) -> Iterator[str]:
    if isinstance(value, list):
        inner = next((get_args(part)[0] for part in parts if get_origin(part) is list), Any)
        for number, entry in enumerate(value):
            yield from problems(entry, inner, f"{path}[{number}]")
    elif isinstance(value, dict):
        for part in parts:
            origin = get_origin(part)
            if origin is ListObject:
                yield from problems(value["data"], list[get_args(part)[0]], f"{path}.data")  # type: ignore[misc]
                return
            if isinstance(part, type) and issubclass(part, StripeObject) and fields(cast(type, part)):
                yield from _object(value, part, path)
                return


def _object(value: dict[str, Any], shape: type, path: str) -> Iterator[str]:
    known = fields(shape)
    for name in value.keys() - known.keys():
        yield f"{path}.{name}: unknown"
    for name, hint in known.items():
        if name in value:
            yield from problems(value[name], hint, f"{path}.{name}")
        elif not is_optional(hint):
            yield f"{path}.{name}: missing"


def problems_of(value: dict[str, Any]) -> list[str]:
    """The same of a whole object, whose class its `object` names."""
    shape = class_of(value["object"])
    assert shape is not None, value["object"]
    return list(problems(value, shape, value["object"]))
