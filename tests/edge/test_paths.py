"""How purges are put together: few paths, never more than CloudFront takes, each row once."""

from __future__ import annotations

import random
from uuid import uuid4

from invokeai_saas.edge.paths import next_purge
from invokeai_saas.edge.records import Removed

BATCH = uuid4()


def _row(number: int, person: str, *names: str) -> Removed:
    folder = f"users/{person}/"
    return Removed(BATCH, number, folder, [f"{folder}{name}" for name in names], 1, 0.0)


def test_one_file_is_named() -> None:
    purge = next_purge([_row(1, "a", "workflows/ä b.webp")])
    assert purge.paths == [
        "/images/users/a/workflows/%C3%A4%20b.webp",
        "/users/a/workflows/%C3%A4%20b.webp",
    ]


def test_several_files_of_a_person_are_their_folder() -> None:
    purge = next_purge([_row(1, "a", "x"), _row(2, "b", "x"), _row(3, "a", "y")])
    assert purge.paths == ["/images/users/a/*", "/users/a/*", "/images/users/b/x", "/users/b/x"]
    assert sorted(purge.ids) == [1, 2, 3]


def test_no_keys_are_the_whole_folder() -> None:
    assert next_purge([_row(1, "a")]).paths == ["/images/users/a/*", "/users/a/*"]


def test_no_purge_is_more_than_cloudfront_takes_and_each_row_goes_once() -> None:
    chance = random.Random(3)
    for _ in range(200):
        rows = [
            _row(number, f"p{chance.randrange(40)}", *(f"{number}-{n}" for n in range(_many(chance))))
            for number in range(chance.randint(1, 100))
        ]
        left, done = rows, []
        while left:
            purge = next_purge(left)
            assert 0 < len(purge.paths) <= 1014
            assert len([path for path in purge.paths if path.endswith("*")]) <= 14
            assert len(set(purge.paths)) == len(purge.paths)
            assert purge == next_purge(left), "the same rows are the same purge"
            for row in rows:
                if row.id in purge.ids:
                    _covered(row, purge.paths)
            done += purge.ids
            left = [row for row in left if row.id not in purge.ids]
        assert sorted(done) == [row.id for row in rows]


def _many(chance: random.Random) -> int:
    return chance.choice([0, 1, 1, 2, 2, 3, 20, 1000])


def _covered(row: Removed, paths: list[str]) -> None:
    for prefix in ("/images/", "/"):
        if f"{prefix}{row.folder}*" not in paths:
            assert row.keys
            assert {f"{prefix}{key}" for key in row.keys} <= set(paths)


def test_other_paths_have_another_reference() -> None:
    one, two = next_purge([_row(1, "a", "x")]), next_purge([_row(1, "a", "y")])
    assert one.reference() == next_purge([_row(1, "a", "x")]).reference()
    assert len({one.reference(), two.reference(), next_purge([_row(2, "a", "x")]).reference()}) == 3
