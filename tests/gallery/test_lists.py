"""What lists remember is never out of date, and what a browser has is not sent again."""

from __future__ import annotations

import gzip

import orjson

from invokeai_saas.gallery.lists import Remembered
from tests.gallery.people import Gallery

NAMES = "/api/v1/gallery/item_names"
TOTAL = "/api/v1/images/?limit=0&board_id=none"


async def test_totals_and_boards_follow_every_change(ada: Gallery) -> None:
    async def total() -> int:
        return int((await ada.subject.get(TOTAL)).json()["total"])

    async def boards() -> list[tuple[str, int, str | None]]:
        found = (await ada.subject.get("/api/v1/boards/?all=true")).json()
        return [(board["board_name"], board["image_count"], board["cover_image_name"]) for board in found]

    assert (await total(), await boards()) == (0, [])
    first, second = ada.add_series(2)
    assert await total() == 2
    board = (await ada.subject.post("/api/v1/boards/", params={"board_name": "One"})).json()["board_id"]
    assert await boards() == [("One", 0, None)]
    await ada.subject.post("/api/v1/board_images/", json={"board_id": board, "image_name": first})
    assert (await total(), await boards()) == (1, [("One", 1, first)])
    await ada.subject.request("DELETE", "/api/v1/board_images/", json={"image_name": first})
    assert (await total(), await boards()) == (2, [("One", 0, None)])
    await ada.subject.request("PATCH", f"/api/v1/boards/{board}", json={"board_name": "Two"})
    assert await boards() == [("Two", 0, None)]
    await ada.subject.request("DELETE", f"/api/v1/images/i/{second}")
    assert await total() == 1
    await ada.subject.request("DELETE", f"/api/v1/boards/{board}")
    assert await boards() == []


async def test_names_are_not_sent_again_until_something_changes(ada: Gallery, bob: Gallery) -> None:
    name = ada.add()
    answer = await ada.subject.get(NAMES)
    etag = answer.headers["etag"]
    assert answer.headers["cache-control"] == "private, no-cache"
    again = await ada.subject.get(NAMES, headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    # Another person at the same browser, whose gallery is at the same version.
    bob.add()
    theirs = await bob.subject.get(NAMES, headers={"If-None-Match": etag})
    assert theirs.status_code == 200
    assert name not in theirs.text
    await ada.subject.post("/api/v1/images/star", json={"image_names": [name]})
    changed = await ada.subject.get(NAMES, headers={"If-None-Match": etag})
    assert (changed.status_code, changed.json()["starred_count"]) == (200, 1)


async def test_long_lists_go_out_compressed_to_who_takes_it(ada: Gallery) -> None:
    names = {ada.add() for _ in range(600)}
    plain = await ada.subject.get(NAMES, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    async with ada.subject.client.stream("GET", NAMES, headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert orjson.loads(gzip.decompress(raw)) == plain.json()
    assert set(plain.json()["item_names"]) == names


def test_what_is_remembered_is_of_one_version_and_bounded() -> None:
    remembered = Remembered(1000)
    remembered.put("a", 1, "value", 100)
    assert remembered.get("a", 1) == "value"
    assert remembered.get("a", 2) is None
    remembered.put("b", 1, "b", 100)
    assert remembered.get("a", 1) == "value"  # used last, so it stays
    remembered.put("c", 1, "c", 400)
    assert (remembered.get("a", 1), remembered.get("b", 1), remembered.get("c", 1)) == ("value", None, "c")
    remembered.put("d", 1, "too large", 5000)
    assert [remembered.get(key, 1) for key in "acd"] == [None, None, None]
