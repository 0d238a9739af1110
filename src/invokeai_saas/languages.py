"""The languages that mails and our own pages speak."""

from __future__ import annotations

from typing import Literal, get_args

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
DEFAULT: Language = "en"


def preferred(accept_language: str | None) -> Language:
    """The language of ours that somebody likes best.

    Parameters:
        accept_language: the header of that name (RFC 9110, section 12.5.4); what cannot be read in it is passed over.
    """
    best, liking = DEFAULT, 0.0
    for entry in (accept_language or "")[:1000].split(","):
        tag, _, parameters = entry.partition(";")
        spoken = next((known for known in LANGUAGES if known == tag.strip().lower().partition("-")[0]), None)
        if spoken is None:
            continue
        weight = _weight(parameters)
        if weight > liking:
            best, liking = spoken, weight
    return best


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0
