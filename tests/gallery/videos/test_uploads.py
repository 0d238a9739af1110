"""Uploading a video: what is taken, what is refused, and that a refusal leaves nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore
from tests.apps import RunningApi, Subject, running_api
from tests.gallery.people import Gallery
from tests.gallery.videos.films import by_hand, film, shown, table, turned
from tests.servers import TestDatabase

UPLOAD = "/api/v1/videos/upload"
DEEP = '{"a": ' + "[" * 900 + "]" * 900 + "}"
ASKED = {"video_category": "user", "is_intermediate": "false"}


async def _upload(
    subject: Subject, data: bytes | None = None, metadata: str | None = None, **asked: str
) -> httpx.Response:
    form = {} if metadata is None else {"metadata": metadata}
    file = {"file": ("film.mp4", film() if data is None else data, "video/mp4")}
    return await subject.post(UPLOAD, params=ASKED | asked, files=file, data=form)


def _rows(database: TestDatabase) -> int:
    with psycopg.connect(database.url()) as connection:
        row = connection.execute("SELECT count(*) FROM images").fetchone()
    assert row is not None
    return int(row[0])


async def _files(objects: ObjectStore, gallery: Gallery) -> list[str]:
    return [
        str(found["path"]) for chunk in objects._store.list(f"users/{gallery.user_id}") for found in chunk
    ]


async def test_a_video_is_stored_measured_and_shown(ada: Gallery, bob: Gallery) -> None:
    board = ada.board()
    metadata = json.dumps({"prompt": "a cat", "seed": 1})
    answer = await _upload(ada.subject, metadata=metadata, board_id=board, session_id="s1")
    assert answer.status_code == 201, answer.text
    video = answer.json()
    assert answer.headers["location"] == video["video_url"]
    assert (video["width"], video["height"], video["duration"], video["fps"]) == (64, 48, 1.0, 10.0)
    assert (video["video_origin"], video["video_category"]) == ("external", "user")
    assert (video["board_id"], video["session_id"], video["node_id"]) == (board, "s1", None)
    assert (video["is_intermediate"], video["starred"], video["has_workflow"]) == (False, False, False)
    name = video["video_name"]
    assert name.endswith(".mp4")
    assert (await ada.subject.get(f"/api/v1/videos/i/{name}")).json() == video
    assert (await ada.subject.get(f"/api/v1/videos/i/{name}/metadata")).json() == json.loads(metadata)
    assert (await bob.subject.get(f"/api/v1/videos/i/{name}")).status_code == 404
    for path in (video["video_url"], f"/api/v1/videos/i/{name}/full"):
        assert (await ada.subject.get(path)).content == film()
        part = await ada.subject.get(path, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, film()[10:20])
    assert shown((await ada.subject.get(video["thumbnail_url"])).content) == (256, 192)
    assert (await ada.subject.get("/api/v1/gallery/item_names")).json()["item_names"] == [name]


async def test_files_of_several_parts(ada: Gallery) -> None:
    """More than the store takes in one request: it goes there in parts, and comes back whole."""
    padded = film() + (12 * 2**20).to_bytes(4, "big") + b"free" + bytes(range(256)) * (12 * 2**12)
    padded = padded[: len(film()) + 12 * 2**20]
    answer = await _upload(ada.subject, padded)
    assert answer.status_code == 201, answer.text
    whole = await ada.subject.get(answer.json()["video_url"])
    assert whole.content == padded


async def test_turned_and_fragmented_videos(ada: Gallery) -> None:
    video = (await _upload(ada.subject, turned())).json()
    assert (video["width"], video["height"]) == (48, 64)
    assert shown((await ada.subject.get(video["thumbnail_url"])).content) == (192, 256)
    video = (await _upload(ada.subject, film("fragments"))).json()
    assert (video["width"], video["duration"], video["fps"]) == (64, pytest.approx(1.0), pytest.approx(10.0))


async def test_what_is_no_video_leaves_nothing(
    ada: Gallery, objects: ObjectStore, database: TestDatabase
) -> None:
    for data in (
        b"",
        b"GIF89a" + b"\0" * 1000,
        film()[:-50],
        film(form="matroska"),
        film(form="mov"),
        film(codec="mpeg4"),
        by_hand(),
        by_hand(times=table(0, 1, 10, 0)),
        by_hand(width=65_535, height=65_535),
        by_hand(times=table(0, 1, 2**32 - 1, 2**32 - 1)),
    ):
        answer = await _upload(ada.subject, data)
        assert answer.status_code == 415, answer.text
        assert answer.json()["code"] == "unsupported_media_type"
        assert answer.json()["detail"].endswith(".")
    assert _rows(database) == 0
    assert await _files(objects, ada) == []


@pytest.mark.parametrize(
    "metadata", ["[]", "1", "null", "{", '{"a": NaN}', '"text"', "{}" * 2, "[" * 10_000, DEEP]
)
async def test_metadata_is_an_object(ada: Gallery, metadata: str) -> None:
    answer = await _upload(ada.subject, metadata=metadata)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_texts_that_the_database_cannot_hold(
    ada: Gallery, objects: ObjectStore, database: TestDatabase
) -> None:
    assert (await _upload(ada.subject, metadata='{"a": "\\u0000"}')).status_code == 422
    assert (await _upload(ada.subject, metadata='{"a": "\\ud800"}')).status_code == 422
    assert (await _upload(ada.subject, session_id="a\0b")).status_code == 422
    assert _rows(database) == 0
    assert await _files(objects, ada) == []


async def test_forms_that_make_no_sense(ada: Gallery) -> None:
    client = ada.subject.client
    two = [("file", ("a.mp4", film(), "video/mp4"))] * 2
    for options in (
        {"files": two},
        {"files": {"other": ("a.mp4", film(), "video/mp4")}},
        {"data": {"file": "text"}},
        {"content": b""},
        {"content": b"{}", "headers": {"content-type": "application/json"}},
        {"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"x" * 100, "headers": {"content-type": "multipart/form-data"}},
        {"files": {"file": ("a.mp4", film())}, "data": {"metadata": "x" * (2**20 + 1)}},
    ):
        answer = await client.post(UPLOAD, params=ASKED, **options)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), options
    for name, value in {
        "video_category": "film",
        "is_intermediate": "perhaps",
        "board_id": "x" * 300,
    }.items():
        answer = await client.post(UPLOAD, params=ASKED | {name: value}, files={"file": film()})
        assert answer.status_code == 422, name
    assert (await client.post(UPLOAD, files={"file": film()})).status_code == 422


async def test_a_body_that_ends_early(ada: Gallery, database: TestDatabase) -> None:
    request = ada.subject.client.build_request(
        "POST", UPLOAD, params=ASKED, files={"file": ("a.mp4", film())}
    )
    body = request.read()
    headers = {"content-type": request.headers["content-type"]}
    answer = await ada.subject.client.post(UPLOAD, params=ASKED, content=body[:-60], headers=headers)
    assert answer.status_code == 422
    assert _rows(database) == 0


async def test_boards_that_are_not_ones_own(ada: Gallery, bob: Gallery, database: TestDatabase) -> None:
    for board in (bob.board(), str(uuid4()), "none", "no-id"):
        assert (await _upload(ada.subject, board_id=board)).status_code == 404
    assert _rows(database) == 0


async def test_nobody_uploads_nothing(api: RunningApi) -> None:
    """And is refused before a byte of it is read."""

    async def endless() -> Any:
        yield b"--x\r\n"
        raise AssertionError("the body was read")

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await api.nobody().client.post(UPLOAD, params=ASKED, content=endless(), headers=headers)
    assert answer.status_code == 401


async def test_room_in_the_plan(ada: Gallery, objects: ObjectStore, database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET max_storage_gb = 0 WHERE slug = 'trial'")
    answer = await _upload(ada.subject)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_quota_exceeded")
    assert _rows(database) == 0
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET max_storage_gb = 1 WHERE slug = 'trial'")
    assert (await _upload(ada.subject)).status_code == 201
    ada.add(file_size_bytes=2**30 - len(film()) - 3000)
    assert (await _upload(ada.subject)).status_code == 507
    assert len(await _files(objects, ada)) == 2
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE user_subscriptions SET current_period_end = current_period_start + '1us'::interval"
        )
    assert (await _upload(ada.subject)).json()["code"] == "not_in_plan"


async def test_limits_of_size_length_and_rate(settings: Settings) -> None:
    small = settings.model_copy(
        update={"max_video_bytes": len(film()), "max_video_seconds": 1.5, "uploads_per_minute": 4}
    )
    async with running_api(small) as api:
        ada = await api.person("ada@example.com")
        assert (await _upload(ada)).status_code == 201
        too_long = await _upload(ada, by_hand(times=table(0, 1, 10, 2)))
        assert (too_long.status_code, "minutes" in too_long.json()["detail"]) == (415, True)
        for data in (film() + b"\0\0\0\x0cfree1234", film() + b"\0" * (9 * 2**20)):
            large = await _upload(ada, data)
            assert (large.status_code, large.json()["code"]) == (413, "payload_too_large")
        await _upload(ada)
        limited = await _upload(ada)
        assert (limited.status_code, limited.json()["code"]) == (429, "rate_limited")


async def test_many_at_once_take_turns(ada: Gallery, database: TestDatabase) -> None:
    answers = await asyncio.gather(*(_upload(ada.subject) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [201] * 6
    assert len({answer.json()["video_name"] for answer in answers}) == 6
    assert _rows(database) == 6


async def test_a_store_that_fails_leaves_no_row(
    api: RunningApi, ada: Gallery, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from invokeai_saas.errors import Unavailable

    async def away(*_: object) -> None:
        raise Unavailable("The file store cannot be reached right now. Please try again.")

    monkeypatch.setattr(type(api.services.objects), "put", away)
    answer = await _upload(ada.subject)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert _rows(database) == 0
