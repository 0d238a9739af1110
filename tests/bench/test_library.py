"""What the benchmark's two sides hold."""

from __future__ import annotations

from collections import Counter

from bench.library import PERSON, Library

LIBRARY = Library(pictures=400, others=3600, boards=5, people=9, boards_each=2)


def test_counts() -> None:
    pictures = list(LIBRARY.all_pictures())
    assert len({picture.name for picture in pictures}) == 4000
    mine = [picture for picture in pictures if picture.owner == PERSON]
    assert len(mine) == 400
    assert {picture.owner for picture in pictures} == set(range(10))
    lies = Counter(picture.board_id for picture in mine)
    assert lies.pop(None) == LIBRARY.uncategorised == 200
    assert set(lies.values()) == {40}


def test_pictures_lie_on_boards_of_their_own_people() -> None:
    owners = {board.board_id: board.owner for board in LIBRARY.all_boards()}
    assert len(owners) == 5 + 9 * 2
    for picture in LIBRARY.all_pictures():
        assert picture.board_id is None or owners[picture.board_id] == picture.owner


def test_both_sides_get_the_same() -> None:
    assert list(LIBRARY.all_pictures()) == list(LIBRARY.all_pictures())
    assert LIBRARY.all_boards() == LIBRARY.all_boards()


def test_one_persons_pictures_are_spread_over_all_the_time() -> None:
    first_half = list(LIBRARY.all_pictures())[:2000]
    assert sum(picture.owner == PERSON for picture in first_half) == 200
