"""Form bodies with nested brackets, as Stripe takes them: a[b][0][c]=d, a[]=b."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from .errors import Refused

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_MAX_FIELDS = 1000


def decode(text: str) -> dict[str, Any]:
    """Nested dictionaries of strings. Lists are dictionaries too, keyed by index: types tell them apart later.

    Raises:
        Refused: a key that is none, or one that is a value and a container at once.
    """
    found: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS):
        matched = _KEY.match(key)
        if matched is None:
            raise Refused(f"Invalid parameter name: {key}", param=key)
        path = [matched[1], *re.findall(r"\[([^\[\]]*)\]", matched[2])]
        _put(found, path, key, value)
    return found


def _put(found: dict[str, Any], path: list[str], key: str, value: str) -> None:
    place = found
    for part, following in zip(path, [*path[1:], None], strict=True):
        name = part or str(len(place))
        if following is None:
            place[name] = value
            return
        inner = place.setdefault(name, {})
        if not isinstance(inner, dict):
            raise Refused(f"Invalid parameter name: {key}", param=key)
        place = inner
