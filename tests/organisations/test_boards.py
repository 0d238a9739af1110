"""Boards that are shared: who sees them, who puts pictures on them, and when that ends."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.storage.objects import open_object_store
from tests.apps import RunningApi
from tests.factories import insert
from tests.gallery.people import Gallery
from tests.organisations.people import NAME, People, set_plan
from tests.servers import TestDatabase
from tests.studio.things import picture

BOARDS = "/api/v1/boards"
IMAGE = "/api/v1/images/i"
VISIBLE = ("shared", "public")


async def _share(owner: Gallery, board: str, visibility: str) -> None:
    answer = await owner.subject.request("PATCH", f"{BOARDS}/{board}", json={"board_visibility": visibility})
    assert (answer.status_code, answer.json()["board_visibility"]) == (201, visibility), answer.text


async def _boards(person: Gallery, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await person.subject.get(f"{BOARDS}/?all=true{query}")).json()
    return found


def _reads(board: str, name: str) -> list[tuple[str, str, Any]]:
    """Every way to look at a board and at a picture on it."""
    paths = [
        f"{BOARDS}/{board}", f"{BOARDS}/{board}/image_names", f"{IMAGE}/{name}", f"{IMAGE}/{name}/metadata",
        f"{IMAGE}/{name}/workflow", f"{IMAGE}/{name}/urls", f"/api/v1/images/?board_id={board}",
        f"/api/v1/images/names?board_id={board}", f"/api/v1/gallery/item_names?board_id={board}",
        f"/api/v1/gallery/items/?board_id={board}", f"/api/v1/gallery/items/names?board_id={board}",
    ]  # fmt: skip
    return [("GET", path, None) for path in paths]


async def _seen(person: Gallery, board: str, name: str) -> list[int]:
    answers = [await person.subject.request(method, path) for method, path, _ in _reads(board, name)]
    listed = (
        await person.subject.post("/api/v1/images/images_by_names", json={"image_names": [name]})
    ).json()
    assert bool(listed) == (answers[2].status_code == 200)
    return [answer.status_code for answer in answers]


def _state(people: People) -> list[Any]:
    with psycopg.connect(people.database.owner) as connection:
        return [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("images", "boards", "board_images")
        ]


@pytest.mark.parametrize("visibility", VISIBLE)
async def test_a_colleague_sees_the_board_and_strangers_nothing(people: People, visibility: str) -> None:
    name = people.ada.add(metadata={"positive_prompt": "hearts"})
    board, private = people.ada.board(name), people.ada.board(people.ada.add())
    await _share(people.ada, board, visibility)
    (seen,) = await _boards(people.bob)
    assert (seen["board_id"], seen["user_id"], seen["image_count"]) == (board, str(people.ada.user_id), 1)
    assert (seen["cover_image_name"], seen["board_visibility"]) == (name, visibility)
    own = (await people.ada.subject.get("/api/v1/auth/me")).json()["display_name"]
    assert seen["owner_username"] == own
    assert (await people.bob.subject.get(f"{BOARDS}/{board}")).json() == seen
    assert {found["board_id"] for found in await _boards(people.ada)} == {board, private}
    assert all(found["owner_username"] is None for found in await _boards(people.ada))
    assert set(await _seen(people.bob, board, name)) == {200}
    metadata = (await people.bob.subject.get(f"{IMAGE}/{name}/metadata")).json()
    assert metadata == {"positive_prompt": "hearts"}
    for who, stranger in people.strangers.items():
        assert await _boards(stranger) == [], who
        assert set(await _seen(stranger, board, name)) == {404}, who
        # Byte for byte as a board and a picture that are not there.
        for (method, path, _), (_, nowhere, _) in zip(
            _reads(board, name), _reads(str(uuid4()), f"{uuid4()}.png"), strict=True
        ):
            there, none = await stranger.subject.request(method, path), await stranger.subject.get(nowhere)
            assert there.content == none.content, path


async def test_lists_of_a_board_hold_what_everybody_put_there(people: People) -> None:
    hers, his = people.ada.add_series(2), people.bob.add()
    board = people.ada.board(*hers)
    await _share(people.ada, board, "public")
    placed = {"board_id": board, "image_name": his}
    added = await people.bob.subject.post("/api/v1/board_images/", json=placed)
    assert (added.status_code, added.json()["added_images"]) == (201, [his])
    for person in (people.ada, people.bob):
        names = (await person.subject.get(f"/api/v1/gallery/item_names?board_id={board}")).json()
        assert (names["item_names"], names["total_count"]) == ([his, hers[1], hers[0]], 3)
        page = (await person.subject.get(f"/api/v1/images/?board_id={board}&limit=2")).json()
        assert ([item["image_name"] for item in page["items"]], page["total"]) == ([his, hers[1]], 3)
        assert (await _boards(person))[0]["image_count"] == 3
        uncategorised = (await person.subject.get("/api/v1/gallery/item_names?board_id=none")).json()
        assert uncategorised["item_names"] == []
    # All of one's own, and nothing of a colleague's: as in InvokeAI.
    everything = (await people.bob.subject.get("/api/v1/gallery/item_names")).json()
    assert everything["item_names"] == [his]
    off = await people.ada.subject.request("DELETE", "/api/v1/board_images/", json={"image_name": his})
    assert (off.status_code, off.json()["removed_images"]) == (201, [his])
    assert (await people.bob.subject.get("/api/v1/gallery/item_names?board_id=none")).json()[
        "item_names"
    ] == [his]
    assert (await people.ada.subject.get(f"{IMAGE}/{his}")).status_code == 404


async def test_a_shared_list_changes_with_what_colleagues_do(people: People) -> None:
    first = people.ada.add()
    board = people.ada.board(first)
    await _share(people.ada, board, "shared")
    path = f"/api/v1/gallery/item_names?board_id={board}"
    etag = (await people.bob.subject.get(path)).headers["etag"]
    known = {"if-none-match": etag}
    assert (await people.bob.subject.get(path, headers=known)).status_code == 304
    second = people.ada.add()
    await people.ada.subject.post("/api/v1/board_images/", json={"board_id": board, "image_name": second})
    changed = await people.bob.subject.get(path, headers=known)
    assert (changed.status_code, set(changed.json()["item_names"])) == (200, {first, second})


@pytest.mark.parametrize("visibility", VISIBLE)
async def test_a_colleague_changes_nothing_of_it(people: People, visibility: str) -> None:
    name, his = people.ada.add(), people.bob.add()
    board = people.ada.board(name)
    await _share(people.ada, board, visibility)
    before, bob = _state(people), people.bob.subject
    one, many = {"image_name": name}, {"image_names": [name]}
    for method, path, body in [
        ("PATCH", f"{BOARDS}/{board}", {"board_name": "Mine now"}),
        ("PATCH", f"{BOARDS}/{board}", {"board_visibility": "private"}),
        ("DELETE", f"{BOARDS}/{board}", None),
        ("DELETE", f"{BOARDS}/{board}?include_images=true", None),
        ("PATCH", f"{IMAGE}/{name}", {"starred": True}),
        ("DELETE", f"{IMAGE}/{name}", None),
        ("DELETE", "/api/v1/board_images/", one),
        ("POST", "/api/v1/board_images/", one | {"board_id": people.bob.board()}),
    ]:
        before[1] = _state(people)[1]
        answer = await bob.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path)
    for path in ("images/star", "images/delete", "board_images/batch/delete"):
        answer = await bob.post(f"/api/v1/{path}", json=many)
        assert answer.status_code in (200, 201), path
        assert name not in json.dumps(answer.json()), path
    if visibility == "shared":
        on = await bob.post("/api/v1/board_images/", json={"board_id": board, "image_name": his})
        assert (on.status_code, on.json()["code"]) == (403, "forbidden")
        upload = {"image_category": "user", "is_intermediate": "false", "board_id": board}
        file = {"file": ("a.png", b"no picture", "image/png")}
        answer = await bob.post("/api/v1/images/upload", params=upload, files=file)
        assert answer.status_code == 403
    assert _state(people) == before


async def test_a_colleague_uploads_to_a_public_board(people: People) -> None:
    board = people.ada.board()
    await _share(people.ada, board, "public")
    asked = {"image_category": "user", "is_intermediate": "false", "board_id": board}
    file = {"file": ("a.png", picture(), "image/png")}
    added = await people.bob.subject.post("/api/v1/images/upload", params=asked, files=file)
    assert (added.status_code, added.json()["board_id"]) == (201, board), added.text
    name = added.json()["image_name"]
    assert (await people.ada.subject.get(f"{BOARDS}/{board}/image_names")).json() == [name]
    for stranger in people.strangers.values():
        refused = await stranger.subject.post("/api/v1/images/upload", params=asked, files=file)
        assert refused.status_code == 404


async def test_videos_are_shared_like_pictures(people: People) -> None:
    video, his = people.ada.add_video(), people.bob.add_video()
    board = people.ada.board(video)
    await _share(people.ada, board, "public")
    path, bob = f"/api/v1/videos/i/{video}", people.bob.subject
    assert (await bob.get(path)).json()["video_name"] == video
    for method, body in (("PATCH", {"starred": True}), ("DELETE", None)):
        assert (await bob.request(method, path, json=body)).status_code == 403
        assert (await people.dan.subject.request(method, path, json=body)).status_code == 404
    assert (await people.dan.subject.get(path)).status_code == 404
    placed = await bob.post("/api/v1/videos/board", json={"board_id": board, "video_name": his})
    assert placed.status_code == 200, placed.text
    refs = (await people.ada.subject.get(f"/api/v1/gallery/items/names?board_id={board}")).json()["items"]
    assert {ref["name"] for ref in refs} == {video, his}
    off = {"video_name": video}
    assert (await bob.request("DELETE", "/api/v1/videos/board", json=off)).status_code == 403
    off = {"video_name": his}
    assert (await people.dan.subject.request("DELETE", "/api/v1/videos/board", json=off)).status_code == 404
    assert (await people.ada.subject.request("DELETE", "/api/v1/videos/board", json=off)).status_code == 200
    assert (await people.ada.subject.get(f"/api/v1/videos/i/{his}")).status_code == 404
    assert (await bob.get(f"/api/v1/videos/i/{his}")).json()["board_id"] is None


async def test_strangers_put_nothing_on_a_public_board(people: People) -> None:
    board = people.ada.board()
    await _share(people.ada, board, "public")
    for who, stranger in people.strangers.items():
        placed = {"board_id": board, "image_name": stranger.add()}
        answer = await stranger.subject.post("/api/v1/board_images/", json=placed)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), who


@pytest.mark.parametrize("visibility", ["private", "shared"])
async def test_the_database_keeps_pictures_off_boards_that_are_not_open(
    people: People, visibility: str
) -> None:
    """Below the service: the API's role itself, as Bob and as Dan, with Ada's board named."""
    board = people.ada.board()
    await _share(people.ada, board, visibility)
    for person in (people.bob, people.dan):
        name = person.add()
        with psycopg.connect(people.database.url(roles.API)) as connection:
            connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(person.user_id)])
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                insert(connection, "board_images", user_id=person.user_id, board_id=board, image_name=name)


@pytest.mark.parametrize("how", ["leaves", "plan changes", "plan ends", "private", "deleted"])
async def test_access_ends_at_once(people: People, how: str) -> None:
    name, his = people.ada.add(), people.bob.add()
    board, mine = people.ada.board(name), people.bob.board(his)
    await _share(people.ada, board, "public")
    await _share(people.bob, mine, "shared")
    assert set(await _seen(people.bob, board, name)) == {200}
    assert set(await _seen(people.ada, mine, his)) == {200}
    if how == "leaves":
        people.leave("bob")
    elif how == "plan changes":
        set_plan(people.database, people.ada, "pro")
    elif how == "plan ends":
        with psycopg.connect(people.database.owner) as connection:
            connection.execute(
                "UPDATE user_subscriptions SET current_period_start = now() - interval '2 days',"
                " current_period_end = now() - interval '1 day' WHERE user_id = %s",
                [people.ada.user_id],
            )
    elif how == "private":
        await _share(people.ada, board, "private")
    else:
        assert (await people.ada.subject.request("DELETE", f"{BOARDS}/{board}")).status_code == 200
    assert set(await _seen(people.bob, board, name)) == {404}
    assert [found["board_id"] for found in await _boards(people.bob)] == [mine]
    if how in ("private", "deleted"):
        assert set(await _seen(people.ada, mine, his)) == {200}
    else:
        assert set(await _seen(people.ada, mine, his)) == {404}
        assert set(await _seen(people.bob, mine, his)) == {200}


@pytest.mark.parametrize("how", ["leaves", "private", "deleted", "deleted with pictures"])
async def test_what_was_on_a_colleagues_board_comes_back(people: People, how: str) -> None:
    """Nobody's picture is left on a board that they can't see."""
    his = people.bob.add()
    board = people.ada.board()
    await _share(people.ada, board, "public")
    placed = {"board_id": board, "image_name": his}
    assert (await people.bob.subject.post("/api/v1/board_images/", json=placed)).status_code == 201
    assert (await people.ada.subject.get(f"{IMAGE}/{his}")).status_code == 200
    if how == "leaves":
        people.leave("bob")
    elif how == "private":
        await _share(people.ada, board, "private")
    else:
        included = str(how == "deleted with pictures").lower()
        await people.ada.subject.request("DELETE", f"{BOARDS}/{board}?include_images={included}")
    uncategorised = (await people.bob.subject.get("/api/v1/gallery/item_names?board_id=none")).json()
    assert uncategorised["item_names"] == [his]
    assert (await people.ada.subject.get(f"{IMAGE}/{his}")).status_code == 404


async def test_no_picture_outside_shared_boards_is_reachable(people: People) -> None:
    """Pictures of everybody in every place: a person reaches their own, and those on boards shared with them."""
    placed: dict[str, tuple[Gallery, str]] = {}
    for owner in (people.ada, people.bob, people.cleo, people.dan):
        for visibility in ("private", *VISIBLE):
            for place in ({}, {"is_intermediate": True}):
                name = owner.add(**place)
                owner.board(name, board_visibility=visibility)
                placed[name] = owner, visibility if not place else "private"
        placed[owner.add()] = owner, "private"
    team = {people.ada.user_id, people.bob.user_id}
    for reader in (people.ada, people.bob, people.cleo, people.dan):
        expected = {
            name
            for name, (owner, visibility) in placed.items()
            if owner is reader or (visibility != "private" and {owner.user_id, reader.user_id} == team)
        }
        body = {"image_names": list(placed)}
        answer = (await reader.subject.post("/api/v1/images/images_by_names", json=body)).json()
        assert {row["image_name"] for row in answer} == expected
        for name in placed:
            for part in ("", "/metadata", "/workflow", "/urls"):
                status = (await reader.subject.get(f"{IMAGE}/{name}{part}")).status_code
                assert status == (200 if name in expected else 404), (name, part)
        with psycopg.connect(people.database.url(roles.API)) as connection:
            connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(reader.user_id)])
            for table, own in (("images", "sharing.images"), ("boards", "sharing.boards")):
                rows = connection.execute(f"SELECT user_id, board_id FROM {own}").fetchall()
                if reader.user_id not in team and reader is people.dan:
                    assert rows == [], table
                else:
                    assert {row[0] for row in rows} <= (team if reader.user_id in team else {reader.user_id})


async def test_without_a_tenant_nothing_is_shared(people: People) -> None:
    board = people.ada.board(people.ada.add())
    await _share(people.ada, board, "public")
    with psycopg.connect(people.database.url(roles.API), autocommit=True) as connection:
        views = ("boards", "images", "workflow_library", "workflow_opened", "style_presets", "system_prompts")
        for view in views:
            assert connection.execute(f"SELECT count(*) FROM sharing.{view}").fetchone() == (0,), view
            for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
                held = connection.execute(
                    "SELECT has_table_privilege(%s, %s)", [f"sharing.{view}", right]
                ).fetchone()
                assert held == (False,), (view, right)


async def test_who_is_of_no_organisation_that_shares_is_told_which_plans_do(people: People) -> None:
    set_plan(people.database, people.cleo, "pro")
    for person in people.strangers.values():
        path = f"{BOARDS}/{person.board()}"
        for visibility in VISIBLE:
            answer = await person.subject.request("PATCH", path, json={"board_visibility": visibility})
            said = answer.json()
            assert (answer.status_code, said["code"]) == (403, "not_in_plan")
            assert (said["feature"], said["plans"]) == ("collaboration", ["enterprise"])
        private = await person.subject.request("PATCH", path, json={"board_visibility": "private"})
        assert private.status_code == 201


async def test_boards_of_all_in_the_order_that_was_asked_for(people: People) -> None:
    for owner, name in ((people.ada, "B"), (people.bob, "a"), (people.ada, "c")):
        answer = await owner.subject.post(f"{BOARDS}/", params={"board_name": name})
        await _share(owner, answer.json()["board_id"], "shared")

    async def listed(query: str) -> list[str]:
        return [board["board_name"] for board in await _boards(people.bob, query)]

    assert await listed("") == ["c", "a", "B"]
    assert await listed("&direction=ASC") == ["B", "a", "c"]
    assert await listed("&order_by=board_name&direction=ASC") == ["a", "B", "c"]
    page = (await people.bob.subject.get(f"{BOARDS}/?offset=1&limit=1")).json()
    assert ([board["board_name"] for board in page["items"]], page["total"]) == (["a"], 3)


async def test_a_cover_that_lies_elsewhere_is_not_told(people: People) -> None:
    elsewhere, here = people.ada.add(), people.ada.add()
    board = people.ada.board(here, cover_image_name=elsewhere)
    await _share(people.ada, board, "shared")
    assert (await _boards(people.ada))[0]["cover_image_name"] == elsewhere
    assert (await _boards(people.bob))[0]["cover_image_name"] == here


async def test_files_of_a_shared_board(api: RunningApi, people: People) -> None:
    name = people.ada.add()
    board = people.ada.board(name)
    store = open_object_store(api.settings)
    await store.put(f"users/{people.ada.user_id}/images/{name}", b"picture", "image/png")
    await _share(people.ada, board, "shared")
    path = (await people.bob.subject.get(f"{IMAGE}/{name}/urls")).json()["image_url"]
    for asked in (path, f"{IMAGE}/{name}/full"):
        answer = await people.bob.subject.get(asked)
        assert (answer.status_code, answer.content) == (200, b"picture"), asked
    for stranger in people.strangers.values():
        assert (await stranger.subject.get(f"{IMAGE}/{name}/full")).status_code == 404
    for asked in ({"board_id": board}, {"image_names": [name]}):
        begun = await people.bob.subject.post("/api/v1/images/download", json=asked)
        assert begun.status_code == 202, begun.text
        for stranger in people.strangers.values():
            answer = await stranger.subject.post("/api/v1/images/download", json=asked)
            assert answer.status_code == 404


async def test_a_jobs_picture_goes_onto_a_colleagues_public_board(people: People) -> None:
    """What a settlement records, with a board of each kind in the job's graph."""
    public, shared = people.ada.board(), people.ada.board()
    await _share(people.ada, public, "public")
    await _share(people.ada, shared, "shared")
    for board, person, lies in (
        (public, people.bob, True),
        (shared, people.bob, False),
        (public, people.dan, False),
        ("no board", people.bob, False),
    ):
        name = f"{uuid4()}.png"
        recorded = {
            "image_name": name, "image_origin": "internal", "image_category": "general", "width": 8, "height": 8,
            "is_intermediate": False, "s3_key": f"users/{person.user_id}/images/{name}", "board_id": board,
            "s3_thumbnail_key": f"users/{person.user_id}/images/thumbnails/{name}", "file_size_bytes": 1,
        }  # fmt: skip
        with psycopg.connect(people.database.owner) as connection:
            connection.execute(
                "SELECT _queue_record_images(jsonb_populate_record(NULL::session_queue, %s), %s)",
                [json.dumps({"user_id": str(person.user_id), "item_id": 1}), json.dumps([recorded])],
            )
            row = connection.execute("SELECT board_id FROM images WHERE image_name = %s", [name]).fetchone()
        assert row is not None
        assert (str(row[0]) if row[0] else None) == (board if lies else None)


async def test_members_join_again(people: People, database: TestDatabase) -> None:
    from invokeai_saas.organisations import admin

    board = people.ada.board()
    await _share(people.ada, board, "shared")
    people.leave("bob")
    assert await _boards(people.bob) == []
    admin.add(database.owner, NAME, "bob@example.com")
    assert [found["board_id"] for found in await _boards(people.bob)] == [board]
