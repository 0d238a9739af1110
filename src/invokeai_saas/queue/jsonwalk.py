"""Walking over JSON that strangers sent: never by recursion, which they could make as deep as they like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def walk(value: Any) -> Iterator[Any]:
    """The value itself and everything inside it: objects, lists, their keys and elements, in no special order."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        yield found
        if isinstance(found, dict):
            waiting.extend(found.keys())
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)


def text_problem(value: Any, longest: int) -> str | None:
    """What is wrong with the texts in a value; None when nothing is.

    Parameters:
        longest: characters that one text may have.
    """
    for part in walk(value):
        if isinstance(part, str):
            if len(part) > longest:
                return f"Text may be {longest} characters long."
            if "\0" in part:
                return "Text may not contain the NUL character."
    return None
