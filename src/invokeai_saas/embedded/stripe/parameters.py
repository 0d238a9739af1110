"""Requests held to Stripe's published parameters: what is unknown, missing or mistyped is a 400 like Stripe's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from typing_extensions import is_typeddict

from .errors import Refused, not_served
from .shapes import members, parameters

_INTEGER = re.compile(r"-?[0-9]{1,15}\Z")
_MOST_METADATA = 50


def accept(shape: Any, given: dict[str, Any], served: frozenset[str]) -> dict[str, Any]:
    """The parameters with their types.

    Parameters:
        shape: the library's typed dictionary of this call.
        given: a decoded form.
        served: what this server acts on, as dotted names; each covers what is below it.

    Raises:
        Refused: with Stripe's own form of a 400.
    """
    taken = _dictionary(shape, given, "")
    for path in _leaves(taken, ""):
        parts = path.split(".")
        if not any(".".join(parts[: n + 1]) in served for n in range(len(parts))):
            raise not_served(path)
    return taken


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, path)
    elif path:
        yield path


def _dictionary(shape: Any, given: dict[str, Any], path: str) -> dict[str, Any]:
    known, required = parameters(shape)
    for name in given:
        if name not in known:
            where = _below(path, name)
            raise Refused(f"Received unknown parameter: {where}", code="parameter_unknown", param=where)
    for name in sorted(required - given.keys()):
        where = _below(path, name)
        raise Refused(f"Missing required param: {where}.", code="parameter_missing", param=where)
    return {name: _value(known[name], part, _below(path, name)) for name, part in given.items()}


def _below(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _value(hint: Any, given: Any, path: str) -> Any:
    parts = members(hint)
    if isinstance(given, dict):
        return _container(parts, given, path)
    literals = [word for part in parts if get_origin(part) is Literal for word in get_args(part)]
    if given in literals:
        return given
    words = [word for word in literals if word != ""]
    for kind, convert in ((bool, _boolean), (int, _integer), (float, _number)):
        if kind in parts:
            found = convert(given)
            if found is not None:
                return found
    if str in parts and not words:
        if "\x00" in given:
            raise Refused("Invalid string: it holds a NUL character.", param=path)
        return given
    raise _mismatch(parts, words, given, path)


def _mismatch(parts: tuple[Any, ...], words: list[Any], given: str, path: str) -> Refused:
    if words and int not in parts:
        said = ", ".join(map(str, words[:-1])) + (" or " if len(words) > 1 else "") + str(words[-1])
        return Refused(f"Invalid {path}: must be one of {said}", param=path)
    if int in parts:
        return Refused(f"Invalid integer: {given}", code="parameter_invalid_integer", param=path)
    if bool in parts:
        return Refused(f"Invalid boolean: {given}", param=path)
    if given == "":
        return Refused(
            f"You passed an empty string for '{path}'.", code="parameter_invalid_empty", param=path
        )
    kind = "array" if any(get_origin(part) is list for part in parts) else "object"
    return Refused(f"Invalid {kind}", param=path)


def _container(parts: tuple[Any, ...], given: dict[str, Any], path: str) -> Any:
    for part in parts:
        if is_typeddict(part):
            return _dictionary(part, given, path)
        if get_origin(part) is list:
            (inner,) = get_args(part)
            entries = sorted(given.items(), key=lambda entry: _place(entry[0], path))
            return [_value(inner, value, f"{path}[{name}]") for name, value in entries]
        if get_origin(part) is dict:
            if len(given) > _MOST_METADATA or not all(isinstance(value, str) for value in given.values()):
                raise Refused(
                    f"Invalid {path}: at most {_MOST_METADATA} keys, each with a string", param=path
                )
            return dict(given)
    raise Refused("Invalid string: an object was given", param=path)


def _place(name: str, path: str) -> int:
    if not _INTEGER.match(name):
        raise Refused("Invalid array", param=path)
    return int(name)


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text)


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.match(text) else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
