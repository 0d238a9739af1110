"""Errors as people may read them: without this server's paths."""

from __future__ import annotations

import re

# An absolute path of at least two parts. Not the tail of a URL or of a relative path.
_SERVER_PATH = re.compile(r"(?<![\w:/.~-])/(?:[^\s/'\"`:,;()\[\]{}<>]+/)+([^\s/'\"`:,;()\[\]{}<>]*)")
_LONGEST_MESSAGE = 2_000  # characters; validation errors of a node union run to hundreds of kilobytes
_LONGEST_TRACEBACK = 20_000


def without_paths(text: str) -> str:
    """The text with each absolute path cut down to its last part."""
    return _SERVER_PATH.sub(r"\1", text)


def readable_message(text: str) -> str:
    """An error message without paths, of a length that fits a toast."""
    return _shortened(without_paths(text), _LONGEST_MESSAGE)


def readable_traceback(text: str) -> str:
    """A traceback without paths; where it is too long its end, the part that tells, is kept."""
    clean = without_paths(text)
    return clean if len(clean) <= _LONGEST_TRACEBACK else "…" + clean[-_LONGEST_TRACEBACK:]


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
