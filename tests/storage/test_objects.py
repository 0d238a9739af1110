"""Files that are written and read piece by piece, listed, and refused, on a real store."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from invokeai_saas.errors import NotFound, Unavailable
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore, open_object_store

PIECE = bytes(range(256)) * 4096 * 5  # 5 MiB
KEY = "users/u/downloads/many.zip"


@pytest.fixture
def objects(settings: Settings) -> ObjectStore:
    return open_object_store(settings)


async def _pieces(count: int, error: Exception | None = None) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield PIECE
    if error:
        raise error


async def _read(objects: ObjectStore, key: str) -> tuple[int, bytes]:
    stored = await objects.open(key)
    return stored.size, b"".join([chunk async for chunk in stored.chunks])


async def test_a_stream_goes_in_and_comes_out(objects: ObjectStore) -> None:
    assert await objects.put_stream(KEY, _pieces(4), "application/zip") == 4 * len(PIECE)
    assert await _read(objects, KEY) == (4 * len(PIECE), 4 * PIECE)


async def test_a_stream_that_breaks_leaves_nothing(objects: ObjectStore) -> None:
    await objects.delete([KEY])
    for error in (NotFound("This file"), RuntimeError("broken")):
        with pytest.raises(type(error)):
            await objects.put_stream(KEY, _pieces(3, error), "application/zip")
        with pytest.raises(NotFound):
            await objects.head(KEY)


async def test_a_file_goes_in_from_its_beginning(objects: ObjectStore) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(PIECE * 3)  # and the position is at its end
        await objects.put_file("users/u/images/a.png", file, "image/png")
    assert await _read(objects, "users/u/images/a.png") == (3 * len(PIECE), 3 * PIECE)


async def test_files_are_listed_in_order_from_any_place(objects: ObjectStore) -> None:
    keys = [f"users/listed/images/{n}.png" for n in range(5)]
    for key in keys:
        await objects.put(key, b"x", "image/png")
    assert [found.key for found in objects.list_sync("users/listed/", None, 3)] == keys[:3]
    assert [found.key for found in objects.list_sync("users/listed/", keys[2], 3)] == keys[3:]
    assert objects.list_sync("users/listed/", keys[4], 3) == []


@pytest.mark.parametrize(
    "changes",
    [{"s3_endpoint_url": "http://127.0.0.1:9"}, {"aws_secret_access_key": SecretStr("wrong")}],
    ids=["away", "other keys"],
)
async def test_a_store_that_is_away_or_lets_us_not_in(settings: Settings, changes: dict[str, object]) -> None:
    objects = open_object_store(settings.model_copy(update=changes))
    for call in (
        lambda: objects.open(KEY),
        lambda: objects.put(KEY, b"x", "image/png"),
        lambda: objects.put_stream(KEY, _pieces(1), "application/zip"),
    ):
        with pytest.raises(Unavailable):
            await call()
    with pytest.raises(Unavailable):
        objects.list_sync("users/", None, 10)
