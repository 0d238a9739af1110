"""Cover pictures: who sees them, and what is made of what was sent."""

from __future__ import annotations

import io
from typing import Any

import httpx
import psycopg
import pytest
from PIL import Image

from invokeai_saas.catalog import covers
from invokeai_saas.errors import NotFound
from invokeai_saas.identity.access import MEDIA_COOKIE
from invokeai_saas.storage.decoding import small_picture
from invokeai_saas.storage.objects import ObjectStore
from tests.apps import RunningApi, Subject
from tests.catalog.people import MODELS, add_model
from tests.servers import TestDatabase


def _picture(format: str = "PNG", size: tuple[int, int] = (600, 300), **options: Any) -> bytes:
    with io.BytesIO() as out:
        Image.new("RGB", size, "red").save(out, format, **options)
        return out.getvalue()


async def _send(subject: Subject, key: str, data: bytes, kind: str = "image/png") -> httpx.Response:
    return await subject.request("PATCH", f"{MODELS}/i/{key}/image", files={"image": ("c.png", data, kind)})


async def test_an_own_cover_is_nobody_elses(
    api: RunningApi, database: TestDatabase, ada: Subject, bob: Subject, tom: Subject
) -> None:
    key = add_model(database, ada.user_id, "mine")["key"]
    path = f"{MODELS}/i/{key}/image"
    assert (await ada.get(path)).status_code == 404
    for other, status in ((bob, 404), (tom, 403), (api.nobody(), 401)):
        assert (await _send(other, key, _picture())).status_code == status
    answer = await _send(ada, key, _picture(exif=b"Exif\0\0secret"))
    assert (answer.status_code, answer.json()) == (200, None)
    address = (await ada.get(f"{MODELS}/i/{key}")).json()["cover_image"]
    assert address.startswith(f"api/v2/models/i/{key}/image?")
    shown = await ada.get(f"/{address}")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    assert Image.open(io.BytesIO(shown.content)).size == (256, 128)
    assert b"secret" not in shown.content
    browser = api.nobody()  # sends the cookie that log-in gave it, as an <img> does
    browser.client.cookies.set(MEDIA_COOKIE, ada.client.cookies[MEDIA_COOKIE])
    assert (await browser.get(path)).status_code == 200
    for other in (bob, tom, api.nobody()):
        refused = await other.get(path)
        assert (refused.status_code, refused.text) == (404, (await other.get(f"{MODELS}/i/none/image")).text)


async def test_covers_of_shared_models_are_everybodys(
    api: RunningApi, database: TestDatabase, ada: Subject, staff: Subject
) -> None:
    key = add_model(database, None, "shared")["key"]
    assert (await _send(ada, key, _picture())).status_code == 403
    assert (await _send(staff, key, _picture("JPEG"))).status_code == 200
    for person in (ada, api.nobody()):
        assert (await person.get(f"{MODELS}/i/{key}/image")).status_code == 200
    stale = api.nobody()
    stale.client.cookies.set(MEDIA_COOKIE, "long gone")
    assert (await stale.get(f"{MODELS}/i/{key}/image")).status_code == 200


async def test_a_cover_is_replaced_and_taken_away(
    api: RunningApi, database: TestDatabase, ada: Subject, bob: Subject
) -> None:
    key = add_model(database, ada.user_id, "mine")["key"]
    path = f"{MODELS}/i/{key}/image"
    await _send(ada, key, _picture())
    first = (await ada.get(f"{MODELS}/i/{key}")).json()["cover_image"]
    await _send(ada, key, _picture("WEBP", (10, 10)))
    assert (await ada.get(f"{MODELS}/i/{key}")).json()["cover_image"] != first
    assert Image.open(io.BytesIO((await ada.get(path)).content)).size == (10, 10)
    assert (await bob.request("DELETE", path)).status_code == 404
    # The form posts the record back with its cover; that changes nothing about it.
    record = (await ada.get(f"{MODELS}/i/{key}")).json()
    changed = await ada.request("PATCH", f"{MODELS}/i/{key}", json=record | {"name": "n", "cover_image": "x"})
    assert changed.json()["cover_image"] == record["cover_image"]
    assert (await ada.request("DELETE", path)).status_code == 204
    assert (await ada.get(f"{MODELS}/i/{key}")).json()["cover_image"] is None
    assert (await ada.get(path)).status_code == 404
    assert (await ada.request("DELETE", path)).status_code == 404


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"<svg/>", 415),
        (b"", 415),
        (_picture()[:200], 415),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", 415),
        (_picture(size=(9000, 9000)), 413),
        (b"x" * 9_000_000, 413),
    ],
)
async def test_what_is_no_small_picture_is_refused(
    database: TestDatabase, ada: Subject, data: bytes, status: int
) -> None:
    key = add_model(database, ada.user_id, "mine")["key"]
    assert (await _send(ada, key, data)).status_code == status
    assert (await ada.get(f"{MODELS}/i/{key}/image")).status_code == 404


async def test_no_transaction_is_open_while_a_cover_is_drawn_and_stored(
    api: RunningApi, database: TestDatabase, ada: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = add_model(database, ada.user_id, "mine")["key"]
    pool: Any = api.services.database.writer.pool
    held: list[int] = []
    draw, put = small_picture, ObjectStore.put

    def drawn(data: bytes) -> bytes:
        held.append(pool.checkedout())
        return draw(data)

    async def stored(*arguments: Any) -> None:
        held.append(pool.checkedout())
        await put(*arguments)

    monkeypatch.setattr(covers, "small_picture", drawn)
    monkeypatch.setattr(ObjectStore, "put", stored)
    assert (await _send(ada, key, _picture())).status_code == 200
    assert held == [0, 0]


async def test_a_cover_whose_model_goes_meanwhile_leaves_no_file(
    api: RunningApi, database: TestDatabase, ada: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = add_model(database, ada.user_id, "mine")["key"]
    put, kept = ObjectStore.put, []

    async def stored(self: ObjectStore, name: str, *arguments: Any) -> None:
        await put(self, name, *arguments)
        kept.append(name)
        with psycopg.connect(database.owner) as connection:
            connection.execute("DELETE FROM models WHERE key = %s", [key])

    monkeypatch.setattr(ObjectStore, "put", stored)
    assert (await _send(ada, key, _picture())).status_code == 404
    with pytest.raises(NotFound):
        await api.services.objects.head(kept[0])


async def test_what_moves_gives_its_first_frame_and_what_lies_stands_upright(
    database: TestDatabase, ada: Subject
) -> None:
    key = add_model(database, ada.user_id, "mine")["key"]
    frames = [Image.new("RGB", (40, 20), colour) for colour in ("red", "blue")]
    moving = _picture("GIF", (40, 20), save_all=True, append_images=frames)
    assert (await _send(ada, key, moving)).status_code == 200
    turned = Image.Exif()
    turned[0x0112] = 6
    assert (await _send(ada, key, _picture("JPEG", (600, 300), exif=turned))).status_code == 200
    shown = await ada.get(f"{MODELS}/i/{key}/image")
    assert Image.open(io.BytesIO(shown.content)).size == (128, 256)
