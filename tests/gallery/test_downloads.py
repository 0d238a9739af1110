"""Downloads of many pictures: what is in them, who hears of them, who may fetch them, and what becomes of them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zipfile import ZIP_STORED, ZipFile

import psycopg
import pytest
import socketio

from invokeai_saas.errors import Unavailable
from invokeai_saas.gallery.upkeep import GalleryUpkeep
from invokeai_saas.identity.access import MEDIA_COOKIE
from invokeai_saas.queue.claims import Claims
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from invokeai_saas.worker.events import EventStream
from tests.apps import PASSWORD, LiveApi, RunningApi, Subject, running_api
from tests.apps import live_api as serve
from tests.factories import make_download
from tests.gallery.people import Gallery
from tests.servers import TestDatabase
from tests.waiting import eventually

PATH = "/api/v1/images/download"
Heard = list[tuple[str, dict[str, Any]]]


@asynccontextmanager
async def _listening(api: LiveApi, subject: Subject) -> AsyncIterator[Heard]:
    """What a page's socket hears of downloads."""
    client = socketio.AsyncClient(reconnection=False)
    heard: Heard = []

    async def hear(event: str, payload: dict[str, Any]) -> None:
        heard.append((event, payload))

    client.on("*", hear)
    auth = {"token": subject.token}
    await client.connect(
        api.url, auth=auth, socketio_path="/ws/socket.io", transports=["websocket"], wait_timeout=120
    )
    await client.emit("subscribe_bulk_download", {"bulk_download_id": "default"})
    try:
        yield heard
    finally:
        await client.disconnect()


async def _stored(person: Gallery, objects: ObjectStore, data: bytes = b"a picture", **changes: Any) -> str:
    """A picture with a file."""
    name = person.add(**changes)
    await objects.put(f"users/{person.user_id}/images/{name}", data, "image/png")
    return name


async def _ask(subject: Subject, **body: Any) -> str:
    answer = await subject.post(PATH, json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["response"] is None
    return str(answer.json()["bulk_download_item_name"])


async def _archive(subject: Subject, name: str) -> ZipFile:
    """The archive, once it is there."""

    async def look() -> Any:
        answer = await subject.get(f"{PATH}/{name}")
        return answer if answer.status_code == 200 else None

    answer = await eventually(look)
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    archive = ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def _one(database: TestDatabase, query: str, *values: Any) -> Any:
    with psycopg.connect(database.owner) as connection:
        row = connection.execute(query, list(values)).fetchone()
    return row[0] if row else None


async def _state(database: TestDatabase, name: str, expected: str) -> None:
    query = "SELECT state FROM bulk_downloads WHERE item_name = %s"
    await eventually(lambda: _one(database, query, name) == expected)


def _files(objects: ObjectStore, user_id: UUID) -> list[str]:
    return [found.key for found in objects.list_sync(f"users/{user_id}/downloads/", None, 1000)]


async def test_pictures_by_name(ada: Gallery, objects: ObjectStore) -> None:
    made = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
    first = await _stored(ada, objects, b"one", created_at=made)
    second = await _stored(ada, objects, b"x" * 3_000_000, image_category="control")
    await _stored(ada, objects)
    name = await _ask(ada.subject, image_names=[first, second, first])
    assert UUID(name.removesuffix(".zip")).version == 4
    archive = await _archive(ada.subject, name)
    assert {entry.filename: entry.file_size for entry in archive.infolist()} == {
        f"general/{first}": 3, f"control/{second}": 3_000_000,
    }  # fmt: skip
    assert archive.read(f"general/{first}") == b"one"
    assert archive.getinfo(f"general/{first}").date_time == (2026, 3, 4, 5, 6, 8)
    assert {entry.compress_type for entry in archive.infolist()} == {ZIP_STORED}


async def test_a_board_and_what_is_on_none(ada: Gallery, objects: ObjectStore) -> None:
    on_it = [await _stored(ada, objects) for _ in range(3)]
    loose, hidden = await _stored(ada, objects), await _stored(ada, objects, is_intermediate=True)
    board = ada.board(*on_it)
    await ada.subject.request(
        "PATCH", f"/api/v1/boards/{board}", json={"board_name": 'Röte/..\\ "x"?#%\n_1-'}
    )
    name = await _ask(ada.subject, board_id=board)
    assert name.startswith("Röte x_1-_")
    archive = await _archive(ada.subject, name)
    assert sorted(archive.namelist()) == sorted(f"general/{picture}" for picture in on_it)
    header = (await ada.subject.get(f"{PATH}/{name}")).headers["content-disposition"]
    assert header.startswith("inline; filename*=UTF-8''R%C3%B6te%20x_1-_")
    uncategorised = await _ask(ada.subject, board_id="none", image_names=on_it)
    assert uncategorised.startswith("Uncategorized_")
    archive = await _archive(ada.subject, uncategorised)
    assert archive.namelist() == [f"general/{loose}"]
    assert f"general/{hidden}" not in archive.namelist()


async def test_events_reach_their_person_and_nobody_else(live_api: LiveApi, database: TestDatabase) -> None:
    objects = open_object_store(live_api.settings)
    ada = Gallery(await live_api.person("ada@example.com"), database)
    bob = Gallery(await live_api.person("bob@example.com"), database)
    picture = await _stored(ada, objects)
    async with _listening(live_api, ada.subject) as heard, _listening(live_api, bob.subject) as bobs:
        name = await _ask(ada.subject, image_names=[picture])
        await eventually(lambda: len(heard) == 2)
        expected = {
            "bulk_download_id": "default",
            "bulk_download_item_id": name.removesuffix(".zip"),
            "bulk_download_item_name": name,
            "user_id": str(ada.user_id),
        }
        assert [event for event, _ in heard] == ["bulk_download_started", "bulk_download_complete"]
        for _, payload in heard:
            assert payload.pop("timestamp") > 0
            assert payload == expected
        assert len((await ada.subject.get(f"{PATH}/{name}")).content) > 100
        board = ada.board()
        await _ask(ada.subject, board_id=board)
        await eventually(lambda: len(heard) == 4)
        assert (heard[3][0], heard[3][1]["error"]) == (
            "bulk_download_error",
            "There are no pictures to download.",
        )
        assert bobs == []


async def test_it_is_fetched_by_its_person_alone(
    ada: Gallery, bob: Gallery, api: RunningApi, objects: ObjectStore
) -> None:
    name = await _ask(ada.subject, image_names=[await _stored(ada, objects)])
    await _archive(ada.subject, name)
    await _archive(ada.subject, name)  # again: the page's notice stays, and so does its link
    refused = await bob.subject.get(f"{PATH}/{name}")
    assert (refused.status_code, refused.json()["detail"]) == (404, "This download was not found.")
    assert (await api.nobody().get(f"{PATH}/{name}")).status_code == 401
    by_cookie = api.nobody()
    by_cookie.client.cookies.set(MEDIA_COOKIE, ada.subject.client.cookies[MEDIA_COOKIE])
    assert (await by_cookie.get(f"{PATH}/{name}")).status_code == 200
    for wrong in ("x.zip", "..%2f..%2fx.zip", "%00.zip", "x" * 500):
        assert (await ada.subject.get(f"{PATH}/{wrong}")).status_code == 404, wrong


async def test_what_is_refused(ada: Gallery, bob: Gallery, api: RunningApi, database: TestDatabase) -> None:
    own, theirs, board = ada.add(), bob.add(), bob.board()
    for body, status in [
        ({}, 400),
        ({"image_names": []}, 400),
        ({"image_names": None, "board_id": None}, 400),
        ({"image_names": [own, theirs]}, 404),
        ({"image_names": [own, "gone.png"]}, 404),
        ({"image_names": ["\0"]}, 404),
        ({"board_id": board}, 404),
        ({"board_id": ""}, 404),
        ({"board_id": "\0"}, 404),
        ({"image_names": [own] * 1001}, 422),
        ({"image_names": ["x" * 256]}, 422),
        ({"image_names": "x"}, 422),
        ([], 422),
    ]:
        answer = await ada.subject.post(PATH, json=body)
        assert answer.status_code == status, (body, answer.text)
    assert (await api.nobody().post(PATH, json={"image_names": [own]})).status_code == 401
    assert _one(database, "SELECT count(*) FROM bulk_downloads") == 0


async def test_too_much_for_one(settings: Settings, database: TestDatabase) -> None:
    async with running_api(settings.model_copy(update={"max_download_bytes": 2000})) as api:
        ada = Gallery(await api.person("ada@example.com"), database)
        fits, more = [ada.add(), ada.add()], ada.add()  # 1,000 bytes each
        answer = await ada.subject.post(PATH, json={"image_names": [*fits, more]})
        assert (answer.status_code, answer.json()["size"], answer.json()["limit"]) == (413, 3000, 2000)
        assert (await ada.subject.post(PATH, json={"image_names": fits})).status_code == 202


async def test_so_many_at_once_and_so_many_kept(
    settings: Settings, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()
    put = ObjectStore.put_stream

    async def waits(self: ObjectStore, *args: Any) -> int:
        await held.wait()
        return await put(self, *args)

    monkeypatch.setattr(ObjectStore, "put_stream", waits)
    async with running_api(settings.model_copy(update={"max_downloads": 2})) as api:
        objects = open_object_store(settings)
        ada = Gallery(await api.person("ada@example.com"), database)
        bob = Gallery(await api.person("bob@example.com"), database)
        picture = await _stored(ada, objects)
        answers = await asyncio.gather(
            *(ada.subject.post(PATH, json={"image_names": [picture]}) for _ in range(4))
        )
        assert sorted(answer.status_code for answer in answers) == [202, 202, 409, 409]
        refused = next(answer for answer in answers if answer.status_code == 409)
        assert refused.json()["code"] == "too_many_downloads"
        theirs = await _ask(bob.subject, image_names=[await _stored(bob, objects)])
        held.set()
        first = [a.json()["bulk_download_item_name"] for a in answers if a.status_code == 202]
        for name in first:
            await _archive(ada.subject, name)
        await _archive(bob.subject, theirs)
        third = await _ask(ada.subject, image_names=[picture])
        await _archive(ada.subject, third)
        seen = [(await ada.subject.get(f"{PATH}/{name}")).status_code for name in (*first, third)]
        assert sorted(seen) == [200, 200, 404]
        assert seen[2] == 200
        await _archive(bob.subject, theirs)


async def test_what_was_deleted_meanwhile_is_left_out(ada: Gallery, objects: ObjectStore) -> None:
    there, gone = await _stored(ada, objects), ada.add()  # a row whose file is gone already
    archive = await _archive(ada.subject, await _ask(ada.subject, image_names=[there, gone]))
    assert archive.namelist() == [f"general/{there}"]


async def test_more_than_one_page_of_pictures(
    ada: Gallery, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from invokeai_saas.gallery.downloads import runner

    monkeypatch.setattr(runner, "_PAGE", 3)
    names = [await _stored(ada, objects, str(n).encode()) for n in range(6)]
    archive = await _archive(ada.subject, await _ask(ada.subject, board_id="none"))
    assert {name: archive.read(f"general/{name}") for name in names} == {
        name: str(n).encode() for n, name in enumerate(names)
    }
    assert len(archive.namelist()) == 6


async def test_a_store_that_goes_away_fails_it(
    live_api: LiveApi, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = Gallery(await live_api.person("ada@example.com"), database)
    picture = await _stored(ada, open_object_store(live_api.settings))

    async def away(*_args: Any) -> None:
        raise Unavailable("The file store cannot be reached right now. Please try again.")

    monkeypatch.setattr(ObjectStore, "open", away)
    async with _listening(live_api, ada.subject) as heard:
        name = await _ask(ada.subject, image_names=[picture])
        await eventually(lambda: len(heard) == 2)
    assert heard[1][0] == "bulk_download_error"
    assert heard[1][1]["error"].startswith("The file store cannot be reached")
    await _state(database, name, "failed")
    assert _files(open_object_store(live_api.settings), ada.user_id) == []
    assert (await ada.subject.get(f"{PATH}/{name}")).status_code == 404


async def test_a_server_that_stops_says_so(
    settings: Settings, database: TestDatabase, live_api: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_args: Any) -> int:
        await asyncio.Event().wait()
        return 0

    async with serve(settings) as stopping:
        ada = Gallery(await stopping.person("ada@example.com"), database)
        picture = await _stored(ada, open_object_store(settings))
        monkeypatch.setattr(ObjectStore, "put_stream", never)
        here = live_api.nobody()
        login = {"email": "ada@example.com", "password": PASSWORD}
        here.token = (await here.post("/api/v1/auth/login", json=login)).json()["token"]
        listening = _listening(live_api, here)
        heard = await listening.__aenter__()
        name = await _ask(ada.subject, image_names=[picture])
        await eventually(lambda: heard)
    await eventually(lambda: len(heard) == 2)
    await listening.__aexit__(None, None, None)
    assert (heard[1][0], heard[1][1]["bulk_download_item_name"]) == ("bulk_download_error", name)
    await _state(database, name, "failed")


class Upkeep:
    """The scheduler's part, with a real connection of its role."""

    def __init__(self, settings: Settings, orphan_age: float = 0) -> None:
        self._claims = Claims(settings.database_worker_url.get_secret_value())
        self._events = EventStream(settings.redis_url.get_secret_value())
        self.gallery = GalleryUpkeep(self._claims, open_object_store(settings), self._events, orphan_age)

    def close(self) -> None:
        self._events.close()
        self._claims.close()


@pytest.fixture
def upkeep(settings: Settings) -> Any:
    made = Upkeep(settings)
    yield made.gallery
    made.close()


async def test_what_a_dead_process_left_is_ended(
    live_api: LiveApi, database: TestDatabase, upkeep: GalleryUpkeep
) -> None:
    ada = Gallery(await live_api.person("ada@example.com"), database)
    now = datetime.now(UTC)
    being = {"state": "preparing", "file_size_bytes": None}
    with psycopg.connect(database.owner) as connection:
        dead = make_download(connection, ada.user_id, **being, alive_until=now - timedelta(seconds=1))
        alive = make_download(connection, ada.user_id, **being, alive_until=now + timedelta(minutes=1))
    async with _listening(live_api, ada.subject) as heard:
        await asyncio.to_thread(upkeep.reap_downloads)
        await asyncio.to_thread(upkeep.reap_downloads)
        await eventually(lambda: heard)
    assert [event for event, _ in heard] == ["bulk_download_error"]
    assert heard[0][1]["bulk_download_item_name"] == dead
    assert set(heard[0][1]) == {
        "timestamp", "bulk_download_id", "bulk_download_item_id", "bulk_download_item_name", "user_id", "error",
    }  # fmt: skip
    await _state(database, dead, "failed")
    await _state(database, alive, "preparing")


async def test_who_was_given_up_leaves_nothing_to_fetch(
    ada: Gallery,
    objects: ObjectStore,
    database: TestDatabase,
    upkeep: GalleryUpkeep,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that was silent too long comes back and finishes: the download stays failed."""
    put = ObjectStore.put_stream

    async def slow(self: ObjectStore, *args: Any) -> int:
        with psycopg.connect(database.owner) as connection:
            connection.execute("UPDATE bulk_downloads SET alive_until = now() - interval '1 second'")
        upkeep.reap_downloads()
        return await put(self, *args)

    monkeypatch.setattr(ObjectStore, "put_stream", slow)
    name = await _ask(ada.subject, image_names=[await _stored(ada, objects)])
    await eventually(lambda: _files(objects, ada.user_id))
    await asyncio.sleep(0.5)
    await _state(database, name, "failed")
    assert (await ada.subject.get(f"{PATH}/{name}")).status_code == 404


async def test_it_goes_with_its_file_when_its_time_is_over(
    ada: Gallery, objects: ObjectStore, database: TestDatabase, upkeep: GalleryUpkeep
) -> None:
    picture = await _stored(ada, objects)
    name, other = [await _ask(ada.subject, image_names=[picture]) for _ in range(2)]
    await _archive(ada.subject, name)
    await _archive(ada.subject, other)
    assert len(_files(objects, ada.user_id)) == 2
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE bulk_downloads SET expires_at = now() WHERE item_name = %s", [name])
    assert (await ada.subject.get(f"{PATH}/{name}")).status_code == 404
    upkeep.drop_downloads()
    assert len(_files(objects, ada.user_id)) == 1
    assert _one(database, "SELECT count(*) FROM bulk_downloads") == 1
    await _archive(ada.subject, other)


async def test_files_without_rows_are_swept(
    ada: Gallery, bob: Gallery, objects: ObjectStore, database: TestDatabase, settings: Settings
) -> None:
    kept = await _stored(ada, objects)
    stem = f"users/{ada.user_id}/images"
    with psycopg.connect(database.owner) as connection:
        archive = make_download(connection, ada.user_id)
    named = [
        f"{stem}/{kept}",
        f"{stem}/thumbnails/{kept[:-4]}.webp",
        f"users/{ada.user_id}/downloads/{archive}",
        f"users/{ada.user_id}/models/mine.safetensors",  # not the gallery's
    ]
    orphans = [
        f"{stem}/6f1a2c00-0000-4000-8000-000000000001.png",
        f"{stem}/6f1a2c00-0000-4000-8000-000000000001.mp4",
        f"{stem}/thumbnails/6f1a2c00-0000-4000-8000-000000000001.webp",
        f"{stem}/{kept[:-4]}.mp4",
        f"users/{ada.user_id}/downloads/6f1a2c00-0000-4000-8000-000000000001.zip",
        f"users/{bob.user_id}/images/{kept}",  # another person's name makes it nobody's
        "users/6f1a2c00-0000-4000-8000-000000000001/images/x.png",  # of a person who is gone
    ]
    for key in [*named, *orphans]:
        await objects.put(key, b"x", "image/png")

    def there() -> set[str]:
        owners = {"/".join(key.split("/")[:2]) for key in (*named, *orphans)}  # others' tests share the store
        found = [entry.key for owner in owners for entry in objects.list_sync(f"{owner}/", None, 1000)]
        return set(found) & {*named, *orphans}

    young = Upkeep(settings, orphan_age=3600)
    await asyncio.to_thread(_all_round, young.gallery)
    assert there() == {*named, *orphans}
    young.close()
    old = Upkeep(settings, orphan_age=-5)  # clocks of this machine and of the store may differ by a second
    await asyncio.to_thread(_all_round, old.gallery)
    assert there() == set(named)
    old.close()


def _all_round(gallery: GalleryUpkeep) -> None:
    for _ in range(20):
        gallery.sweep()


async def test_the_sweep_goes_on_where_it_was(
    ada: Gallery, objects: ObjectStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from invokeai_saas.gallery import upkeep

    monkeypatch.setattr(upkeep, "_BATCH", 2)
    folder = f"users/{ada.user_id}/images"
    keys = [f"{folder}/{n}.png" for n in range(5)]
    for key in keys:
        await objects.put(key, b"x", "image/png")
    monkeypatch.setattr(upkeep, "_PEOPLE", f"{folder}/")
    old = Upkeep(settings, orphan_age=-5)
    left = []
    for _ in range(3):
        await asyncio.to_thread(old.gallery.sweep)
        left.append(len(objects.list_sync(f"{folder}/", None, 100)))
    old.close()
    assert left == [3, 1, 0]
