"""InvokeAI's `videos` routes, as their owner, another person and nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from invokeai_saas.errors import NotFound
from invokeai_saas.storage.objects import ObjectStore
from tests.apps import RunningApi
from tests.factories import insert
from tests.gallery.people import EPOCH, Gallery
from tests.gallery.videos.films import film
from tests.servers import TestDatabase

VIDEOS = "/api/v1/videos"


async def _names(gallery: Gallery, query: str = "") -> list[str]:
    answer = await gallery.subject.get(f"{VIDEOS}/names?{query}")
    assert answer.status_code == 200, answer.text
    names: list[str] = answer.json()["video_names"]
    return names


async def test_a_video_as_the_page_knows_it(ada: Gallery) -> None:
    name = ada.add_video(width=640, height=480)
    board = ada.board(name)
    video = (await ada.subject.get(f"{VIDEOS}/i/{name}")).json()
    assert video.keys() == {
        "video_name", "video_url", "thumbnail_url", "video_origin", "video_category", "width", "height", "duration",
        "fps", "created_at", "updated_at", "deleted_at", "is_intermediate", "session_id", "node_id", "starred",
        "has_workflow", "video_subfolder", "board_id",
    }  # fmt: skip
    assert (video["video_name"], video["board_id"]) == (name, board)
    assert (video["width"], video["height"], video["duration"], video["fps"]) == (640, 480, 2.5, 24.0)
    assert (video["video_origin"], video["video_category"]) == ("internal", "general")
    assert video["video_url"].startswith(f"/images/users/{ada.user_id}/images/{name}?")
    assert name.removesuffix(".mp4") + ".webp" in video["thumbnail_url"]
    urls = (await ada.subject.get(f"{VIDEOS}/i/{name}/urls")).json()
    assert urls == {key: video[key] for key in ("video_name", "video_url", "thumbnail_url")}


async def test_lists_in_order_with_filters_and_pages(ada: Gallery, bob: Gallery) -> None:
    old, starred, new = (
        ada.add_video(created_at=EPOCH + timedelta(minutes=n), starred=n == 1, image_category=category)
        for n, category in enumerate(("general", "general", "user"))
    )
    ada.add()
    draft = ada.add_video(is_intermediate=True, created_at=EPOCH - timedelta(days=1))
    bob.add_video()
    board = ada.board(old)
    assert await _names(ada, "is_intermediate=false") == [starred, new, old]
    assert await _names(ada) == [starred, new, old, draft]
    assert await _names(ada, "starred_first=false&order_dir=ASC&is_intermediate=false") == [old, starred, new]
    assert await _names(ada, "categories=user") == [new]
    assert await _names(ada, f"board_id={board}") == [old]
    assert await _names(ada, "board_id=none&is_intermediate=false") == [starred, new]
    assert await _names(ada, "video_origin=external") == []
    page = (await ada.subject.get(f"{VIDEOS}/?offset=1&limit=2&is_intermediate=false")).json()
    assert (page["total"], page["offset"], page["limit"]) == (3, 1, 2)
    assert [video["video_name"] for video in page["items"]] == [new, old]
    assert (await ada.subject.get(f"{VIDEOS}/names")).json()["starred_count"] == 1
    assert (await ada.subject.get(f"{VIDEOS}/?limit=-1")).status_code == 422
    assert (await ada.subject.get(f"{VIDEOS}/?board_id={uuid4()}")).status_code == 404


async def test_stars_category_and_drafts(ada: Gallery, bob: Gallery) -> None:
    name, other, theirs, picture = ada.add_video(), ada.add_video(), bob.add_video(), ada.add()
    board = ada.board(name)
    body = {"video_names": [name, name, other, theirs, picture, "nothing", "\0"]}
    starred = (await ada.subject.post(f"{VIDEOS}/star", json=body)).json()
    assert (set(starred["starred_videos"]), starred["failed_videos"]) == ({name, other}, [])
    assert set(starred["affected_boards"]) == {board, "none"}
    path = f"{VIDEOS}/i/{name}"
    assert (await ada.subject.get(path)).json()["starred"] is True
    assert (await bob.subject.get(f"{VIDEOS}/i/{theirs}")).json()["starred"] is False
    assert (await ada.subject.get(f"/api/v1/images/i/{picture}")).json()["starred"] is False
    unstarred = (await ada.subject.post(f"{VIDEOS}/unstar", json={"video_names": [name]})).json()
    assert (unstarred["unstarred_videos"], unstarred["affected_boards"]) == ([name], [board])
    changes = {"video_category": "user", "is_intermediate": True, "starred": True}
    changed = await ada.subject.request("PATCH", path, json=changes)
    assert changed.status_code == 200
    assert {key: changed.json()[key] for key in changes} == changes
    for bad in ({"starred": "yes"}, {"video_category": "film"}, {"session_id": "x"}):
        assert (await ada.subject.request("PATCH", path, json=bad)).status_code == 422, bad
    long = {"video_names": ["x"] * 1001}
    assert (await ada.subject.post(f"{VIDEOS}/star", json=long)).status_code == 422


async def test_boards(ada: Gallery, bob: Gallery) -> None:
    name, picture = ada.add_video(), ada.add()
    first, second, theirs = ada.board(), ada.board(), bob.board()
    put = {"board_id": first, "video_name": name}
    added = await ada.subject.post(f"{VIDEOS}/board", json=put)
    assert (added.status_code, added.json()["added_videos"]) == (200, [name])
    assert set(added.json()["affected_boards"]) == {first, "none"}
    moved = (await ada.subject.post(f"{VIDEOS}/board", json=put | {"board_id": second})).json()
    assert set(moved["affected_boards"]) == {first, second}
    for body in (
        put | {"board_id": theirs},
        put | {"board_id": str(uuid4())},
        put | {"video_name": picture},
        put | {"video_name": "none.mp4"},
    ):
        assert (await ada.subject.post(f"{VIDEOS}/board", json=body)).status_code == 404, body
    assert (await bob.subject.post(f"{VIDEOS}/board", json=put | {"board_id": theirs})).status_code == 404
    for subject in (bob.subject, ada.subject):
        off = await subject.request("DELETE", f"{VIDEOS}/board", json={"video_name": picture})
        assert off.status_code == 404
    assert (
        await bob.subject.request("DELETE", f"{VIDEOS}/board", json={"video_name": name})
    ).status_code == 404
    for affected in ({second, "none"}, {"none"}):
        off = await ada.subject.request("DELETE", f"{VIDEOS}/board", json={"video_name": name})
        assert (off.status_code, off.json()["removed_videos"]) == (200, [name])
        assert set(off.json()["affected_boards"]) == affected


async def _store(objects: ObjectStore, gallery: Gallery, name: str) -> list[str]:
    keys = [
        f"users/{gallery.user_id}/images/{name}",
        f"users/{gallery.user_id}/images/thumbnails/{name.removesuffix('.mp4')}.webp",
    ]
    await objects.put(keys[0], film(), "video/mp4")
    await objects.put(keys[1], b"RIFF", "image/webp")
    return keys


async def test_deleting_takes_the_files_too(ada: Gallery, bob: Gallery, objects: ObjectStore) -> None:
    single, held, loose = ada.add_video(), ada.add_video(), ada.add_video()
    picture, theirs = ada.add(), bob.add_video()
    board = ada.board(held)
    keys = await _store(objects, ada, single)
    assert (await bob.subject.request("DELETE", f"{VIDEOS}/i/{single}")).status_code == 404
    gone = (await ada.subject.request("DELETE", f"{VIDEOS}/i/{single}")).json()
    assert gone == {"deleted_videos": [single], "failed_videos": [], "affected_boards": ["none"]}
    for key in keys:
        with pytest.raises(NotFound):
            await objects.get(key)
    assert (await ada.subject.request("DELETE", f"{VIDEOS}/i/{single}")).status_code == 404
    loose_gone = (await ada.subject.request("DELETE", f"{VIDEOS}/uncategorized")).json()
    assert loose_gone["deleted_videos"] == [loose]
    assert await _names(ada) == [held]
    body = {"video_names": [held, theirs, picture]}
    many = (await ada.subject.post(f"{VIDEOS}/delete", json=body)).json()
    assert (many["deleted_videos"], many["affected_boards"]) == ([held], [board])
    assert await _names(bob) == [theirs]
    assert (await ada.subject.get(f"/api/v1/images/i/{picture}")).status_code == 200


async def test_metadata_workflow_and_graph(ada: Gallery, database: TestDatabase) -> None:
    name, bare = f"{uuid4()}.mp4", ada.add_video()
    with psycopg.connect(database.owner) as connection:
        insert(
            connection, "images", image_name=name, user_id=ada.user_id, image_origin="internal",
            image_category="general", width=2, height=2, s3_key="k", s3_thumbnail_key="t", file_size_bytes=1,
            kind="video", duration_seconds=1.0, metadata={"seed": 7}, workflow={"name": "w"}, graph={"id": "g"},
            has_workflow=True,
        )  # fmt: skip
    assert (await ada.subject.get(f"{VIDEOS}/i/{name}/metadata")).json() == {"seed": 7}
    workflow = (await ada.subject.get(f"{VIDEOS}/i/{name}/workflow")).json()
    assert workflow == {"workflow": '{"name":"w"}', "graph": '{"id":"g"}'}
    assert (await ada.subject.get(f"{VIDEOS}/i/{bare}/metadata")).json() is None
    assert (await ada.subject.get(f"{VIDEOS}/i/{bare}/workflow")).json() == {"workflow": None, "graph": None}


OF_ONE = [
    ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/full"), ("HEAD", "/full"), ("GET", "/thumbnail"),
    ("GET", "/metadata"), ("GET", "/workflow"), ("GET", "/urls"),
]  # fmt: skip


async def test_pictures_are_no_videos_and_videos_no_pictures(ada: Gallery, objects: ObjectStore) -> None:
    video, picture = ada.add_video(), ada.add()
    await _store(objects, ada, video)
    board = ada.board()
    for method, rest in OF_ONE:
        body: dict[str, Any] = {"json": {"starred": True}} if method == "PATCH" else {}
        for path in (f"{VIDEOS}/i/{picture}{rest}", f"/api/v1/images/i/{video}{rest}"):
            assert (await ada.subject.request(method, path, **body)).status_code == 404, (method, path)
    names = {"image_names": [video]}
    assert (await ada.subject.post("/api/v1/images/images_by_names", json=names)).json() == []
    for verb, key in (("star", "starred"), ("unstar", "unstarred"), ("delete", "deleted")):
        answer = (await ada.subject.post(f"/api/v1/images/{verb}", json=names)).json()
        assert answer[f"{key}_images"] == []
    put = {"board_id": board, "image_name": video}
    assert (await ada.subject.post("/api/v1/board_images/", json=put)).status_code == 404
    placed = await ada.subject.post("/api/v1/board_images/batch", json=names | {"board_id": board})
    assert placed.json()["added_images"] == []
    await ada.subject.post(f"{VIDEOS}/board", json={"board_id": board, "video_name": video})
    off = await ada.subject.request("DELETE", "/api/v1/board_images/", json={"image_name": video})
    assert off.status_code == 404
    cover = {"cover_image_name": video}
    assert (await ada.subject.request("PATCH", f"/api/v1/boards/{board}", json=cover)).status_code == 404
    await ada.subject.request("DELETE", "/api/v1/images/uncategorized")
    unchanged = (await ada.subject.get(f"{VIDEOS}/i/{video}")).json()
    assert (unchanged["board_id"], unchanged["starred"]) == (board, False)
    assert (await ada.subject.get("/api/v1/images/names")).json()["image_names"] == []


async def test_drafts_of_videos_are_not_counted_among_pictures(ada: Gallery) -> None:
    draft = ada.add_video(is_intermediate=True)
    assert (await ada.subject.get("/api/v1/images/intermediates")).json() == 0
    assert (await ada.subject.request("DELETE", "/api/v1/images/intermediates")).json() == 0
    assert await _names(ada) == [draft]


async def test_others_and_nobody(api: RunningApi, ada: Gallery, bob: Gallery) -> None:
    name = ada.add_video()
    for method, rest in OF_ONE:
        body: dict[str, Any] = {"json": {"starred": True}} if method == "PATCH" else {}
        path = f"{VIDEOS}/i/{name}{rest}"
        assert (await bob.subject.request(method, path, **body)).status_code == 404, (method, rest)
        assert (await api.nobody().request(method, path, **body)).status_code == 401, (method, rest)
    for method, rest in [
        ("GET", "/"), ("GET", "/names"), ("POST", "/star"), ("POST", "/unstar"), ("POST", "/delete"),
        ("POST", "/upload"), ("POST", "/board"), ("DELETE", "/board"), ("DELETE", "/uncategorized"),
    ]:  # fmt: skip
        assert (await api.nobody().request(method, VIDEOS + rest)).status_code == 401, (method, rest)
    assert name not in (await bob.subject.get(f"{VIDEOS}/")).text
    assert await _names(ada) == [name]


async def test_a_browser_plays_by_cookie(
    api: RunningApi, ada: Gallery, bob: Gallery, objects: ObjectStore
) -> None:
    name = ada.add_video()
    await _store(objects, ada, name)
    for gallery, status in ((ada, 206), (bob, 404)):
        made = await gallery.subject.post("/api/v1/auth/media-cookie")
        assert made.is_success
        browser = api.nobody()
        browser.client.cookies = gallery.subject.client.cookies
        answer = await browser.get(f"{VIDEOS}/i/{name}/full", headers={"Range": "bytes=0-3"})
        assert answer.status_code == status
    whole = await ada.subject.get(f"{VIDEOS}/i/{name}/full")
    assert (whole.status_code, whole.content) == (200, film())
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["content-disposition"] == f'inline; filename="{name}"'
    poster = await ada.subject.get(f"{VIDEOS}/i/{name}/thumbnail")
    assert (poster.content, poster.headers["content-type"]) == (b"RIFF", "image/webp")
