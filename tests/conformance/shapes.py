"""The form of a JSON value, and where two forms differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([ T])\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?$")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Unlike(NamedTuple):
    """Parameters: place: path of the field, parts joined by dots; theirs, ours: types, or "nothing"."""

    place: str
    theirs: str
    ours: str


def unlike(theirs: Any, ours: Any, place: str = "") -> Iterator[Unlike]:
    """Where the types, the keys or what is null differ. A list is as its first item; an empty one is like any."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        theirs, ours = _keyed(theirs), _keyed(ours)
        for key in sorted({*theirs, *ours}):
            inner = f"{place}.{key}" if place else key
            if key not in ours or key not in theirs:
                yield Unlike(inner, _kind_of(theirs, key), _kind_of(ours, key))
            else:
                yield from unlike(theirs[key], ours[key], inner)
    elif isinstance(theirs, list) and isinstance(ours, list):
        if theirs and ours:
            yield from unlike(theirs[0], ours[0], f"{place}[]")
    elif _kind(theirs) != _kind(ours):
        yield Unlike(place, _kind(theirs), _kind(ours))


def _keyed(value: dict[str, Any]) -> dict[str, Any]:
    """Keys that are somebody's ids are all called `*`."""
    return {"*" if _ID.fullmatch(key) else key: inner for key, inner in value.items()}


def _kind_of(value: dict[str, Any], key: str) -> str:
    return _kind(value[key]) if key in value else "nothing"


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, str):
        moment = _MOMENT.match(value)
        return ("moment with zone" if moment[3] else "moment without zone") if moment else "string"
    return {int: "integer", float: "number", list: "array", dict: "object"}[type(value)]


def at(value: Any, place: str) -> Any:
    """A part of a value. Parameters: place: "." for all of it, or keys and indexes joined by dots."""
    for part in place.split(".") if place != "." else ():
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value
