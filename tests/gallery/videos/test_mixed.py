"""Pictures and videos in one gallery."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from invokeai_saas.storage.objects import ObjectStore
from tests.gallery.people import EPOCH, Gallery


def _mixed(gallery: Gallery, **changes: Any) -> list[str]:
    """Picture, video, picture, video, a minute apart, oldest first."""
    return [
        (gallery.add_video if n % 2 else gallery.add)(created_at=EPOCH + timedelta(minutes=n), **changes)
        for n in range(4)
    ]


def _kind(name: str) -> str:
    return "video" if name.endswith(".mp4") else "image"


async def test_lists_hold_both_in_one_order(ada: Gallery, bob: Gallery) -> None:
    names = _mixed(ada)
    _mixed(bob)
    for query, expected in (("", names[::-1]), ("?order_dir=ASC", names)):
        flat = (await ada.subject.get(f"/api/v1/gallery/item_names{query}")).json()
        assert (flat["item_names"], flat["total_count"]) == (expected, 4)
        refs = (await ada.subject.get(f"/api/v1/gallery/items/names{query}")).json()
        assert refs["items"] == [{"kind": _kind(name), "name": name} for name in expected]
        page = (await ada.subject.get(f"/api/v1/gallery/items/{query}")).json()
        assert [item["name"] for item in page["items"]] == expected
        assert [item["kind"] for item in page["items"]] == list(map(_kind, expected))
    assert [item["duration"] for item in page["items"]] == [None, 2.5, None, 2.5]
    assert [item["fps"] for item in page["items"]] == [None, 24.0, None, 24.0]
    assert page["total"] == 4


async def test_stars_pages_and_boards_over_both(ada: Gallery) -> None:
    picture, video, _, newest = _mixed(ada)
    await ada.subject.post("/api/v1/videos/star", json={"video_names": [video]})
    flat = (await ada.subject.get("/api/v1/gallery/item_names")).json()
    assert (flat["item_names"][:2], flat["starred_count"]) == ([video, newest], 1)
    page = (await ada.subject.get("/api/v1/gallery/items/?offset=1&limit=1")).json()
    assert ([item["name"] for item in page["items"]], page["total"]) == ([newest], 4)
    board = ada.board(picture, video)
    held = (await ada.subject.get(f"/api/v1/gallery/item_names?board_id={board}")).json()
    assert held["item_names"] == [video, picture]
    names = (await ada.subject.get(f"/api/v1/boards/{board}/image_names")).json()
    assert names == [picture]


async def test_a_boards_counts_and_cover(ada: Gallery) -> None:
    names = _mixed(ada)
    board = ada.board(*names)

    async def shown() -> tuple[Any, ...]:
        (listed,) = (await ada.subject.get("/api/v1/boards/?all=true")).json()
        assert (await ada.subject.get(f"/api/v1/boards/{board}")).json() == listed
        return tuple(
            listed[key]
            for key in (
                "image_count",
                "video_count",
                "asset_count",
                "cover_image_name",
                "cover_video_name",
            )
        )

    assert await shown() == (2, 2, 0, None, names[3])
    await ada.subject.post("/api/v1/images/star", json={"image_names": [names[0]]})
    assert await shown() == (2, 2, 0, names[0], None)
    await ada.subject.post("/api/v1/images/unstar", json={"image_names": [names[0]]})
    await ada.subject.request("PATCH", f"/api/v1/videos/i/{names[3]}", json={"is_intermediate": True})
    assert await shown() == (2, 1, 0, names[2], None)
    await ada.subject.request("PATCH", f"/api/v1/videos/i/{names[1]}", json={"video_category": "user"})
    assert await shown() == (2, 1, 0, names[2], None)


@pytest.mark.parametrize("include", [False, True])
async def test_what_becomes_of_a_boards_videos(ada: Gallery, objects: ObjectStore, include: bool) -> None:
    picture, video = ada.add(), ada.add_video()
    key = f"users/{ada.user_id}/images/{video}"
    await objects.put(key, b"video", "video/mp4")
    board = ada.board(picture, video)
    answer = await ada.subject.request("DELETE", f"/api/v1/boards/{board}?include_images={include}")
    told = {name: found for name, found in answer.json().items() if found}
    if include:
        assert told == {"board_id": board, "deleted_images": [picture], "deleted_videos": [video]}
    else:
        assert told == {"board_id": board, "deleted_board_images": [picture], "deleted_board_videos": [video]}
    left = (await ada.subject.get("/api/v1/gallery/item_names?board_id=none")).json()["item_names"]
    assert set(left) == (set() if include else {picture, video})


async def test_days_count_both(ada: Gallery, bob: Gallery) -> None:
    names = _mixed(ada)
    mask = ada.add(created_at=EPOCH, image_category="mask")
    lonely = ada.add_video(created_at=EPOCH + timedelta(days=1))
    ada.add_video(created_at=EPOCH + timedelta(days=2), is_intermediate=True)
    bob.add_video(created_at=EPOCH)
    second, first = (await ada.subject.get("/api/v1/virtual_boards/by_date")).json()
    assert (second["video_count"], second["image_count"], second["cover_video_name"]) == (1, 0, lonely)
    counts = [first[key] for key in ("image_count", "video_count", "asset_count")]
    assert counts == [2, 2, 1]
    assert (first["cover_image_name"], first["cover_video_name"]) == (None, names[3])
    path = f"/api/v1/virtual_boards/by_date/{first['date']}"
    items = (await ada.subject.get(f"{path}/item_names")).json()["items"]
    assert {item["name"] for item in items} == {*names, mask}
    pictures = (await ada.subject.get(f"{path}/image_names")).json()["image_names"]
    assert set(pictures) == {names[0], names[2], mask}
