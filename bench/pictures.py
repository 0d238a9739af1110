"""The pictures that both sides list: the same names at the same moments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

SIDE = 256  # pixels
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Picture:
    """A picture's name, as InvokeAI names them, and when it was made."""

    name: str
    created_at: datetime


def pictures(count: int, seed: int = 7) -> Iterator[Picture]:
    """`count` pictures, one made each minute."""
    random = Random(seed)
    for number in range(count):
        name = UUID(int=random.getrandbits(128), version=4)
        yield Picture(f"{name}.png", _FIRST + timedelta(minutes=number))
