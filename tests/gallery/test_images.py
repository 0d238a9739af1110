"""Pictures over HTTP: what their owner sees and changes, and that nobody else does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from invokeai_saas.errors import NotFound
from invokeai_saas.storage.objects import ObjectStore
from tests.apps import RunningApi
from tests.gallery.people import EPOCH, Gallery

IMAGES = "/api/v1/images"


async def test_the_page_gets_a_picture_as_it_knows_them(ada: Gallery) -> None:
    name = ada.add(session_id="s", node_id="n")
    dto = (await ada.subject.get(f"{IMAGES}/i/{name}")).json()
    assert dto.keys() == {
        "image_name", "image_url", "thumbnail_url", "image_origin", "image_category", "width", "height",
        "created_at", "updated_at", "deleted_at", "is_intermediate", "session_id", "node_id", "starred",
        "has_workflow", "image_subfolder", "board_id",
    }  # fmt: skip
    assert dto["image_url"].startswith(f"/images/users/{ada.user_id}/images/{name}?expires=")
    assert dto["thumbnail_url"].startswith(f"/images/users/{ada.user_id}/images/thumbnails/{name[:-4]}.webp?")
    assert (dto["session_id"], dto["node_id"], dto["board_id"]) == ("s", "n", None)
    assert dto["created_at"].endswith("Z")


async def test_lists_are_paged_newest_first(ada: Gallery, bob: Gallery) -> None:
    names = ada.add_series(5)
    bob.add()
    page = (await ada.subject.get(f"{IMAGES}/?offset=1&limit=2")).json()
    assert [image["image_name"] for image in page["items"]] == [names[3], names[2]]
    assert (page["offset"], page["limit"], page["total"]) == (1, 2, 5)
    counted = (await ada.subject.get(f"{IMAGES}/?limit=0&offset=0&categories=general")).json()
    assert counted == {"offset": 0, "limit": 0, "total": 5, "items": []}
    beyond = (await ada.subject.get(f"{IMAGES}/?offset=9")).json()
    assert (beyond["total"], beyond["items"]) == (5, [])


async def _names(gallery: Gallery, query: str) -> list[str]:
    answer = await gallery.subject.get(f"{IMAGES}/names?{query}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["total_count"] == len(body["image_names"])
    return list(body["image_names"])


async def test_filters(ada: Gallery) -> None:
    plain = ada.add(created_at=EPOCH, metadata={"positive_prompt": "a 100% Red_Heart"})
    mask = ada.add(created_at=EPOCH + timedelta(days=1), image_category="mask", image_origin="external")
    starred = ada.add(created_at=EPOCH - timedelta(days=1), starred=True)
    draft = ada.add(created_at=EPOCH + timedelta(days=2), is_intermediate=True)
    board = ada.board(mask)
    assert await _names(ada, "") == [starred, draft, mask, plain]
    assert await _names(ada, "starred_first=false") == [draft, mask, plain, starred]
    assert await _names(ada, "starred_first=false&order_dir=ASC") == [starred, plain, mask, draft]
    assert await _names(ada, "is_intermediate=false") == [starred, mask, plain]
    assert await _names(ada, "is_intermediate=true") == [draft]
    assert await _names(ada, "categories=mask&categories=control") == [mask]
    assert await _names(ada, "image_origin=external") == [mask]
    assert await _names(ada, f"board_id={board}") == [mask]
    assert await _names(ada, "board_id=none&is_intermediate=false") == [starred, plain]
    assert await _names(ada, "search_term=red_heart") == [plain]
    assert await _names(ada, "search_term=redXheart") == []  # an underscore is no wildcard
    assert await _names(ada, "search_term=100%25") == [plain]
    assert await _names(ada, "search_term=2026-03-02") == [mask]
    assert await _names(ada, "search_term=") == [starred, draft, mask, plain]
    assert await _names(ada, "created_date=2026-03-01") == [plain]
    assert await _names(ada, "created_date=9999-12-31") == []


async def test_the_gallery_asks_for_names_in_three_forms(ada: Gallery) -> None:
    first, second = ada.add(created_at=EPOCH, starred=True), ada.add(created_at=EPOCH + timedelta(days=1))
    query = "categories=general&is_intermediate=false&order_dir=DESC&search_term=&starred_first=true"
    answer = (await ada.subject.get(f"/api/v1/gallery/item_names?board_id=none&{query}")).json()
    assert answer == {"item_names": [first, second], "starred_count": 1, "total_count": 2}
    refs = (await ada.subject.get("/api/v1/gallery/items/names?starred_first=false")).json()
    assert refs["items"] == [{"kind": "image", "name": second}, {"kind": "image", "name": first}]
    assert refs["starred_count"] == 0
    items = (await ada.subject.get("/api/v1/gallery/items/?limit=1")).json()
    assert items["total"] == 2
    assert items["items"][0]["name"] == first
    assert items["items"][0]["full_url"].startswith("/images/")


async def test_an_empty_gallery(ada: Gallery) -> None:
    empty = {"item_names": [], "starred_count": 0, "total_count": 0}
    assert (await ada.subject.get("/api/v1/gallery/item_names")).json() == empty
    assert (await ada.subject.get("/api/v1/videos/?limit=0&offset=0&board_id=none")).json() == {
        "limit": 0, "offset": 0, "total": 0, "items": []
    }  # fmt: skip
    assert (await ada.subject.get("/api/v1/virtual_boards/by_date")).json() == []


async def test_names_that_json_must_escape_are_refused_by_the_table(ada: Gallery) -> None:
    """Lists of names are written unescaped."""
    for name in ('a"b.png', "a\\b.png", "a\nb.png", "", "é.png"):
        with pytest.raises(psycopg.errors.CheckViolation):
            ada.add(image_name=name)


async def test_images_by_names_keeps_the_order_and_skips_the_unknown(ada: Gallery, bob: Gallery) -> None:
    first, second, third = ada.add_series(3)
    board = ada.board(second)
    asked = [third, "no-such.png", bob.add(), "nul\0.png", first, second, third]
    found = (await ada.subject.post(f"{IMAGES}/images_by_names", json={"image_names": asked})).json()
    assert [image["image_name"] for image in found] == [third, first, second]
    assert found[2]["board_id"] == board


async def test_metadata_and_workflow(ada: Gallery) -> None:
    name = ada.add(metadata={"seed": 7}, workflow={"name": "w"})
    assert (await ada.subject.get(f"{IMAGES}/i/{name}/metadata")).json() == {"seed": 7}
    both = (await ada.subject.get(f"{IMAGES}/i/{name}/workflow")).json()
    assert both == {"workflow": '{"name":"w"}', "graph": None}
    bare = ada.add()
    assert (await ada.subject.get(f"{IMAGES}/i/{bare}/metadata")).json() is None


async def test_changing_a_picture(ada: Gallery) -> None:
    name = ada.add()
    path = f"{IMAGES}/i/{name}"
    changes = {"starred": True, "is_intermediate": True, "image_category": "user"}
    dto = (await ada.subject.request("PATCH", path, json=changes)).json()
    assert {key: dto[key] for key in changes} == changes
    assert (await ada.subject.request("PATCH", path, json={})).json()["starred"] is True


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"starred": "yes"}, "starred"),
        ({"is_intermediate": 1}, "is_intermediate"),
        ({"image_category": "cat"}, "image_category"),
        ({"session_id": "mine"}, "session_id"),
    ],
)
async def test_bad_changes_name_the_field(ada: Gallery, change: dict[str, Any], field: str) -> None:
    answer = await ada.subject.request("PATCH", f"{IMAGES}/i/{ada.add()}", json=change)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][-1] == field


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=-1", "limit"), ("limit=1001", "limit"), ("offset=-1", "offset"), ("order_dir=UP", "order_dir"),
     ("categories=cat", "categories"), ("search_term=%00", "search_term"), ("created_date=soon", "created_date"),
     ("offset=99999999999999999999", "offset")],
)  # fmt: skip
async def test_bad_queries_name_the_field(ada: Gallery, query: str, field: str) -> None:
    answer = await ada.subject.get(f"{IMAGES}/?{query}")
    assert answer.status_code == 422
    assert field in answer.json()["detail"][0]["loc"]


async def test_stars(ada: Gallery, bob: Gallery) -> None:
    one, two = ada.add_series(2)
    board, foreign = ada.board(one), bob.add()
    names = {"image_names": [one, two, foreign, "no-such.png", one]}
    starred = (await ada.subject.post(f"{IMAGES}/star", json=names)).json()
    assert sorted(starred["starred_images"]) == sorted([one, two])
    assert sorted(starred["affected_boards"]) == sorted([board, "none"])
    assert starred["failed_images"] == []
    assert (await bob.subject.get(f"{IMAGES}/i/{foreign}")).json()["starred"] is False
    unstarred = (await ada.subject.post(f"{IMAGES}/unstar", json={"image_names": [one]})).json()
    assert unstarred["unstarred_images"] == [one]
    assert (await ada.subject.get("/api/v1/gallery/item_names")).json()["starred_count"] == 1


async def test_too_many_names_are_refused(ada: Gallery) -> None:
    answer = await ada.subject.post(f"{IMAGES}/delete", json={"image_names": ["x"] * 1001})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "image_names"]


async def _store(objects: ObjectStore, gallery: Gallery, name: str) -> list[str]:
    keys = [
        f"users/{gallery.user_id}/images/{name}",
        f"users/{gallery.user_id}/images/thumbnails/{name[:-4]}.webp",
    ]
    for key in keys:
        await objects.put(key, b"bytes", "image/png")
    return keys


async def test_deleting_takes_rows_places_and_files(objects: ObjectStore, ada: Gallery, bob: Gallery) -> None:
    one, two, foreign = ada.add(), ada.add(), bob.add()
    board = ada.board(one)
    keys = [*await _store(objects, ada, one), *await _store(objects, ada, two)]
    kept = await _store(objects, bob, foreign)
    answer = (await ada.subject.post(f"{IMAGES}/delete", json={"image_names": [one, two, foreign]})).json()
    assert sorted(answer["deleted_images"]) == sorted([one, two])
    assert sorted(answer["affected_boards"]) == sorted([board, "none"])
    for key in keys:
        assert not await _exists(objects, key)
    for key in kept:
        assert await _exists(objects, key)
    assert (await ada.subject.get("/api/v1/gallery/item_names")).json()["total_count"] == 0
    assert (await bob.subject.get(f"{IMAGES}/i/{foreign}")).status_code == 200


async def _exists(objects: ObjectStore, key: str) -> bool:
    try:
        await objects.head(key)
    except NotFound:
        return False
    return True


async def test_deleting_one_and_whole_groups(ada: Gallery) -> None:
    one = ada.add()
    assert (await ada.subject.request("DELETE", f"{IMAGES}/i/{one}")).json() == {
        "deleted_images": [one], "failed_images": [], "affected_boards": ["none"]
    }  # fmt: skip
    assert (await ada.subject.request("DELETE", f"{IMAGES}/i/{one}")).status_code == 404
    boarded, loose, draft = ada.add(), ada.add(), ada.add(is_intermediate=True)
    ada.board(boarded)
    assert (await ada.subject.get(f"{IMAGES}/intermediates")).json() == 1
    assert (await ada.subject.request("DELETE", f"{IMAGES}/intermediates")).json() == 1
    assert (await ada.subject.get(f"{IMAGES}/i/{draft}")).status_code == 404
    gone = (await ada.subject.request("DELETE", f"{IMAGES}/uncategorized")).json()
    assert gone["deleted_images"] == [loose]
    assert await _names(ada, "") == [boarded]


async def test_files_by_name_need_the_cookie_or_the_token(
    api: RunningApi, objects: ObjectStore, ada: Gallery, bob: Gallery
) -> None:
    name = ada.add()
    await _store(objects, ada, name)
    for part, kind in (("full", "image/png"), ("thumbnail", "image/webp")):
        path = f"{IMAGES}/i/{name}/{part}"
        answer = await ada.subject.get(path)
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"bytes", kind)
        assert answer.headers["cache-control"] == "private, no-cache"
        again = await ada.subject.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await bob.subject.get(path)).status_code == 404
        assert (await api.nobody().get(path)).status_code == 401
        visitor = api.nobody()
        visitor.client.cookies.update(ada.subject.client.cookies)
        assert (await visitor.get(path)).status_code == 200
    head = await ada.subject.request("HEAD", f"{IMAGES}/i/{name}/full")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "5", b"")


async def test_days_as_boards(ada: Gallery) -> None:
    old, new = ada.add(created_at=EPOCH - timedelta(days=1)), ada.add(created_at=EPOCH)
    ada.add(created_at=EPOCH - timedelta(hours=1), image_category="mask")
    ada.add(created_at=EPOCH, is_intermediate=True)
    days = (await ada.subject.get("/api/v1/virtual_boards/by_date")).json()
    assert [day["date"] for day in days] == ["2026-03-01", "2026-02-28"]
    assert (days[0]["image_count"], days[0]["asset_count"], days[0]["cover_image_name"]) == (1, 1, new)
    assert days[0]["virtual_board_id"] == "by_date:2026-03-01"
    path = "/api/v1/virtual_boards/by_date/2026-02-28"
    assert (await ada.subject.get(f"{path}/image_names")).json()["image_names"] == [old]
    assert (await ada.subject.get(f"{path}/item_names")).json()["items"] == [{"kind": "image", "name": old}]


ONE = ["GET /i/{}", "PATCH /i/{}", "DELETE /i/{}", "GET /i/{}/metadata", "GET /i/{}/workflow", "GET /i/{}/urls",
       "GET /i/{}/full", "HEAD /i/{}/full", "GET /i/{}/thumbnail"]  # fmt: skip


@pytest.mark.parametrize("call", ONE)
async def test_one_picture_is_its_owners_alone(
    api: RunningApi, ada: Gallery, bob: Gallery, call: str
) -> None:
    method, _, path = call.partition(" ")
    body = {"json": {"starred": True}} if method == "PATCH" else {}
    name = ada.add()
    for unknown in (name, "no-such.png", "nul%00.png"):
        answer = await bob.subject.request(method, IMAGES + path.format(unknown), **body)
        assert answer.status_code == 404
        if method != "HEAD":
            assert answer.json() == {"detail": "This picture was not found.", "code": "not_found"}
    nobody = await api.nobody().request(method, IMAGES + path.format(name), **body)
    assert nobody.status_code == 401
    assert (await ada.subject.get(f"{IMAGES}/i/{name}")).json()["starred"] is False


async def test_lists_are_for_people(api: RunningApi) -> None:
    nobody = api.nobody()
    for path in ("images/", "images/names", "gallery/item_names", "gallery/items/", "gallery/items/names",
                 "videos/", "videos/names", "virtual_boards/by_date", "images/intermediates"):  # fmt: skip
        assert (await nobody.get(f"/api/v1/{path}")).status_code == 401, path


async def test_an_unknown_board_selects_nothing(ada: Gallery, bob: Gallery) -> None:
    foreign = bob.board()
    for board in (foreign, str(UUID(int=1)), "no-uuid"):
        for path in ("images/", "images/names", "gallery/item_names", "gallery/items/"):
            answer = await ada.subject.get(f"/api/v1/{path}?board_id={board}")
            assert (answer.status_code, answer.json()["detail"]) == (404, "This board was not found.")
