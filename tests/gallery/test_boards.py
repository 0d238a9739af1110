"""Boards over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from invokeai_saas.storage.objects import ObjectStore
from tests.apps import RunningApi
from tests.gallery.people import EPOCH, Gallery

BOARDS = "/api/v1/boards"


async def _new(gallery: Gallery, name: str = "A board") -> dict[str, Any]:
    answer = await gallery.subject.post(f"{BOARDS}/", params={"board_name": name})
    assert answer.status_code == 201, answer.text
    board: dict[str, Any] = answer.json()
    return board


async def test_a_new_board_as_the_page_knows_them(ada: Gallery) -> None:
    board = await _new(ada, "Hearts")
    assert board.keys() == {
        "board_id", "board_name", "user_id", "created_at", "updated_at", "deleted_at", "cover_image_name", "archived",
        "board_visibility", "cover_video_name", "image_count", "video_count", "asset_count", "owner_username",
    }  # fmt: skip
    assert (board["board_name"], board["user_id"]) == ("Hearts", str(ada.user_id))
    assert (board["board_visibility"], board["archived"], board["image_count"]) == ("private", False, 0)
    assert (await ada.subject.get(f"{BOARDS}/{board['board_id']}")).json() == board


async def test_lists_count_what_boards_hold(ada: Gallery, bob: Gallery) -> None:
    old, new = ada.add(created_at=EPOCH), ada.add(created_at=EPOCH + timedelta(days=1))
    mask, draft = ada.add(created_at=EPOCH, image_category="mask"), ada.add(is_intermediate=True)
    held = ada.board(old, new, mask, draft)
    await _new(bob)
    (board,) = (await ada.subject.get(f"{BOARDS}/?all=true")).json()
    assert board["board_id"] == held
    assert (board["image_count"], board["asset_count"], board["cover_image_name"]) == (2, 1, new)
    chosen = {"cover_image_name": old}
    changed = await ada.subject.request("PATCH", f"{BOARDS}/{held}", json=chosen)
    assert (changed.status_code, changed.json()["cover_image_name"]) == (201, old)


async def test_order_pages_and_the_archive(ada: Gallery) -> None:
    for name in ("b", "a", "c"):
        last = await _new(ada, name)
    path = f"{BOARDS}/{last['board_id']}"
    assert (await ada.subject.request("PATCH", path, json={"archived": True})).json()["archived"] is True

    async def listed(query: str) -> list[str]:
        return [
            board["board_name"] for board in (await ada.subject.get(f"{BOARDS}/?all=true&{query}")).json()
        ]

    assert await listed("") == ["a", "b"]
    assert await listed("include_archived=true") == ["c", "a", "b"]
    assert await listed("order_by=board_name&direction=ASC&include_archived=true") == ["a", "b", "c"]
    page = (await ada.subject.get(f"{BOARDS}/?offset=1&limit=1&include_archived=true")).json()
    assert ([board["board_name"] for board in page["items"]], page["total"]) == (["a"], 3)
    neither = await ada.subject.get(f"{BOARDS}/")
    assert (neither.status_code, neither.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    ("method", "path", "options", "field"),
    [
        ("POST", "/", {"params": {"board_name": "x" * 301}}, "board_name"),
        ("POST", "/", {}, "board_name"),
        ("PATCH", "/{}", {"json": {"board_name": ""}}, "board_name"),
        ("PATCH", "/{}", {"json": {"board_name": "nul\0"}}, "board_name"),
        ("PATCH", "/{}", {"json": {"owner": "me"}}, "owner"),
        ("PATCH", "/{}", {"json": {"archived": "maybe"}}, "archived"),
    ],
)
async def test_bad_input_names_the_field(
    ada: Gallery, method: str, path: str, options: dict[str, Any], field: str
) -> None:
    board = ada.board()
    answer = await ada.subject.request(method, BOARDS + path.format(board), **options)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][-1] == field


@pytest.mark.parametrize("visibility", ["shared", "public"])
async def test_boards_are_not_shared_without_an_organisation(ada: Gallery, visibility: str) -> None:
    board = ada.board()
    answer = await ada.subject.request("PATCH", f"{BOARDS}/{board}", json={"board_visibility": visibility})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_in_plan")
    private = await ada.subject.request("PATCH", f"{BOARDS}/{board}", json={"board_visibility": "private"})
    assert private.status_code == 201


async def test_a_cover_is_a_picture_of_ones_own(ada: Gallery, bob: Gallery) -> None:
    board, foreign = ada.board(), bob.add()
    for name in (foreign, "no-such.png", "nul\0.png"):
        answer = await ada.subject.request("PATCH", f"{BOARDS}/{board}", json={"cover_image_name": name})
        assert answer.status_code == 404


@pytest.mark.parametrize("category", ["general", "user", "control"])
async def test_deleting_a_board_keeps_its_pictures(ada: Gallery, category: str) -> None:
    """Counted and listed as on no board at once, though both were remembered when they were not."""

    async def uncategorised() -> tuple[int, list[str]]:
        where = f"board_id=none&is_intermediate=false&categories={category}"
        total = (await ada.subject.get(f"/api/v1/images/?limit=0&{where}")).json()["total"]
        listed = (await ada.subject.get(f"/api/v1/gallery/item_names?{where}")).json()
        return total, listed["item_names"]

    name = ada.add(image_category=category)
    board = ada.board(name)
    assert await uncategorised() == (0, [])
    answer = (await ada.subject.request("DELETE", f"{BOARDS}/{board}")).json()
    assert (answer["deleted_board_images"], answer["deleted_images"]) == ([name], [])
    assert (await ada.subject.get(f"{BOARDS}/{board}")).status_code == 404
    assert (await ada.subject.get(f"/api/v1/images/i/{name}")).json()["board_id"] is None
    assert await uncategorised() == (1, [name])


async def test_deleting_a_board_with_its_pictures(ada: Gallery, objects: ObjectStore) -> None:
    name, other = ada.add(), ada.add()
    board, key = ada.board(name), f"users/{ada.user_id}/images/{name}"
    await objects.put(key, b"x", "image/png")
    answer = (await ada.subject.request("DELETE", f"{BOARDS}/{board}?include_images=true")).json()
    assert (answer["deleted_board_images"], answer["deleted_images"]) == ([], [name])
    names = (await ada.subject.get("/api/v1/gallery/item_names")).json()["item_names"]
    assert names == [other]
    assert (await ada.subject.get("/api/v1/boards/?all=true")).json() == []
    with pytest.raises(Exception, match="not found"):
        await objects.head(key)


async def test_pictures_move_between_boards(ada: Gallery) -> None:
    one, two = ada.add_series(2)
    first, second = ada.board(one), ada.board()
    body = {"board_id": second, "image_name": one}
    answer = await ada.subject.post("/api/v1/board_images/", json=body)
    assert answer.status_code == 201
    assert answer.json()["added_images"] == [one]
    assert answer.json()["affected_boards"] == sorted([first, second])
    batch = {"board_id": first, "image_names": [one, two]}
    moved = (await ada.subject.post("/api/v1/board_images/batch", json=batch)).json()
    assert sorted(moved["added_images"]) == sorted([one, two])
    assert moved["affected_boards"] == sorted([first, second, "none"])
    names = (await ada.subject.get(f"{BOARDS}/{first}/image_names")).json()
    assert names == [two, one]
    off = await ada.subject.request("DELETE", "/api/v1/board_images/", json={"image_name": one})
    assert off.json() == {
        "removed_images": [one],
        "affected_boards": sorted([first, "none"]),
        "failed_images": [],
    }
    all_off = await ada.subject.post("/api/v1/board_images/batch/delete", json={"image_names": [one, two]})
    assert (all_off.status_code, all_off.json()["removed_images"]) == (201, [one, two])
    assert (await ada.subject.get(f"{BOARDS}/none/image_names")).json() == [two, one]


async def test_image_names_of_a_board_are_filtered(ada: Gallery) -> None:
    plain, mask = ada.add(), ada.add(image_category="mask")
    draft = ada.add(is_intermediate=True)
    board = ada.board(plain, mask, draft)
    path = f"{BOARDS}/{board}/image_names"
    assert (await ada.subject.get(f"{path}?categories=mask")).json() == [mask]
    assert (await ada.subject.get(f"{path}?is_intermediate=true")).json() == [draft]
    assert len((await ada.subject.get(path)).json()) == 3


async def test_boards_are_their_owners_alone(api: RunningApi, ada: Gallery, bob: Gallery) -> None:
    name, foreign = ada.add(), bob.add()
    board, elsewhere = ada.board(name), bob.board(foreign)
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/boards/{}", {}),
        ("PATCH", "/boards/{}", {"json": {"board_name": "mine"}}),
        ("DELETE", "/boards/{}?include_images=true", {}),
        ("GET", "/boards/{}/image_names", {}),
    ]
    for method, path, options in calls:
        for unknown in (board, str(UUID(int=1)), "no-uuid"):
            answer = await bob.subject.request(method, "/api/v1" + path.format(unknown), **options)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
        nobody = await api.nobody().request(method, "/api/v1" + path.format(board), **options)
        assert nobody.status_code == 401
    for body in ({"board_id": board, "image_name": foreign}, {"board_id": elsewhere, "image_name": name}):
        assert (await bob.subject.post("/api/v1/board_images/", json=body)).status_code == 404
        assert (await api.nobody().post("/api/v1/board_images/", json=body)).status_code == 401
    batch = {"board_id": elsewhere, "image_names": [name]}
    assert (await bob.subject.post("/api/v1/board_images/batch", json=batch)).json()["added_images"] == []
    taken = await bob.subject.post("/api/v1/board_images/batch/delete", json={"image_names": [name]})
    assert taken.json()["removed_images"] == []
    one = await bob.subject.request("DELETE", "/api/v1/board_images/", json={"image_name": name})
    assert one.status_code == 404
    assert (await ada.subject.get(f"/api/v1/images/i/{name}")).json()["board_id"] == board
