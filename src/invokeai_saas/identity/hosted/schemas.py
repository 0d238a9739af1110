"""What our log-in page asks before it shows itself."""

from __future__ import annotations

from pydantic import BaseModel


class Offer(BaseModel):
    """Another way to log in, in the reader's language; nothing where there is none.

    Parameters:
        problem: what became of a try, and what to do now.
    """

    href: str | None = None
    label: str | None = None
    problem: str | None = None
