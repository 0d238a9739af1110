"""What both sides hold: the same people, boards and pictures, under the same names, made at the same moments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

SIDE = 256  # pixels
PERSON = 0  # the number of the one whose gallery is read
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_SEED = 7


@dataclass(frozen=True)
class Board:
    """A board of the person with this number."""

    board_id: str
    owner: int
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's name, as InvokeAI names them, whose it is, where it lies and when it was made."""

    name: str
    owner: int
    board_id: str | None
    created_at: datetime


@dataclass(frozen=True)
class Library:
    """Everybody's galleries. One person is measured, and the others are there to be kept apart from them.

    Every other picture of a person lies on none of their boards, the rest in turns on each of them. The pictures of
    all people are made in turns, one a second, as in a service that all of them use.

    Parameters:
        pictures: of the one person.
        others: pictures of all other people together.
        boards: of the one person.
        people: how many others there are.
        boards_each: of each of the others.
    """

    pictures: int
    others: int
    boards: int = 50
    people: int = 90
    boards_each: int = 10

    @property
    def uncategorised(self) -> int:
        """How many of the one person's pictures lie on no board."""
        return (self.pictures + 1) // 2

    def all_boards(self) -> list[Board]:
        """The boards of everybody, one person after the other."""
        random = Random(_SEED)
        return [
            Board(_uuid(random), owner, f"Board {number + 1:02}", _FIRST + timedelta(seconds=number))
            for owner in range(self.people + 1)
            for number in range(self.boards if owner == PERSON else self.boards_each)
        ]

    def all_pictures(self) -> Iterator[Picture]:
        """Everybody's pictures in the order in which they were made."""
        random = Random(_SEED + 1)
        boards: list[list[str]] = [[] for _ in range(self.people + 1)]
        for board in self.all_boards():
            boards[board.owner].append(board.board_id)
        made = [0] * (self.people + 1)
        for number in range(self.pictures + self.others):
            owner = self._owner(number)
            lies = boards[owner][made[owner] // 2 % len(boards[owner])] if made[owner] % 2 else None
            made[owner] += 1
            yield Picture(f"{_uuid(random)}.png", owner, lies, _FIRST + timedelta(seconds=number))

    def _owner(self, number: int) -> int:
        """Spreads the one person's pictures evenly among all others' (Bresenham's line)."""
        total = self.pictures + self.others
        if number * self.pictures // total != (number + 1) * self.pictures // total:
            return PERSON
        return 1 + number % self.people


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))
