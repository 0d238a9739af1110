"""Walking over JSON that strangers sent: never by recursion, which they could make as deep as they like."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

MAX_DEPTH = 64
_MAX_INTEGER = 2**63


def walk(value: Any) -> Iterator[tuple[Any, int]]:
    """The value itself and everything inside it (objects, lists, keys, elements), each with its depth."""
    waiting = [(value, 0)]
    while waiting:
        found, depth = waiting.pop()
        yield found, depth
        if isinstance(found, dict):
            waiting.extend((key, depth + 1) for key in found)
            waiting.extend((part, depth + 1) for part in found.values())
        elif isinstance(found, list):
            waiting.extend((part, depth + 1) for part in found)


def parts_of(value: Any, enough: int) -> int:
    """How many parts there are, the value itself and keys included; counting ends once there are more than enough."""
    return sum(1 for _ in islice(walk(value), enough + 1))


def json_problem(value: Any, longest: int) -> str | None:
    """Why a value can't be kept (the database holds no NUL, no half characters, no endless numbers), or None.

    Parameters:
        longest: characters that one text may have.
    """
    for part, depth in walk(value):
        if depth > MAX_DEPTH:
            return f"Values may be nested {MAX_DEPTH} deep."
        if isinstance(part, str):
            if len(part) > longest:
                return f"Text may be {longest} characters long."
            if "\0" in part:
                return "Text may not contain the NUL character."
            if not part.isascii() and any("\ud800" <= character <= "\udfff" for character in part):
                return "Text must be made of whole Unicode characters."
        elif isinstance(part, int) and not -_MAX_INTEGER <= part < _MAX_INTEGER:
            return "Numbers may have 63 bits."
        elif isinstance(part, float) and part - part != 0:
            return "Numbers must be finite."
    return None
