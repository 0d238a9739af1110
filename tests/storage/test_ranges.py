"""Videos in ranges, over their signed paths: the protocol's matrix (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import httpx
import pytest

from invokeai_saas.errors import NotFound
from invokeai_saas.settings import Settings
from invokeai_saas.storage import ranges
from invokeai_saas.storage.keys import image_key
from invokeai_saas.storage.media import MediaSigner
from invokeai_saas.storage.objects import ChangedMeanwhile, ObjectStore, open_object_store
from tests.apps import RunningApi

KEY = image_key("5f6e", "film.mp4")
FILM = random.Random(1).randbytes(5 * 2**20 + 123)
SIZE = len(FILM)


@pytest.fixture
async def objects(settings: Settings) -> AsyncIterator[ObjectStore]:
    store = open_object_store(settings)
    await store.put(KEY, FILM, "video/mp4")
    yield store
    await store.delete([KEY])


@pytest.fixture
def path(settings: Settings) -> str:
    signer = MediaSigner(settings.media_signing_key.get_secret_value(), settings.media_url_seconds)
    return signer.path(KEY)


@pytest.fixture
async def ask(api: RunningApi, objects: ObjectStore, path: str):  # type: ignore[no-untyped-def]
    del objects  # the film lies there

    async def asked(method: str = "GET", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await api.nobody().request(method, path, headers=named)

    return asked


@pytest.mark.parametrize(
    ("header", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=5-5", 5, 6),
        ("bytes=0-", 0, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes=1000000-4200000", 1_000_000, 4_200_001),
        (f"bytes=100-{SIZE + 1000}", 100, SIZE),
        ("bytes=100-99999999999999999999999", 100, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-3000000", SIZE - 3_000_000, SIZE),
        (f"bytes=-{SIZE * 2}", 0, SIZE),
        ("Bytes = 2-3", 2, 4),
        (f"bytes={2**21 - 1}-{2**21}", 2**21 - 1, 2**21 + 1),
    ],
)
async def test_one_range(ask, header: str, first: int, end: int) -> None:  # type: ignore[no-untyped-def]
    answer = await ask(range=header)
    assert answer.status_code == 206
    assert answer.content == FILM[first:end]
    assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(end - first)
    assert (answer.headers["accept-ranges"], answer.headers["content-type"]) == ("bytes", "video/mp4")


@pytest.mark.parametrize(
    "header",
    [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=99999999999999999999-", "bytes=-0", "bytes=5-4", "bytes=-",
     "bytes=", "bytes=a-b", "bytes=1", "bytes=--1", f"bytes={'9' * 40}-"],
)  # fmt: skip
async def test_no_such_range(ask, header: str) -> None:  # type: ignore[no-untyped-def]
    answer = await ask(range=header)
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("header", ["", "items=0-5", "bytes", "bytes=0-1,5-6", "lines=1-2"])
async def test_what_is_no_range_of_ours_is_answered_whole(ask, header: str) -> None:  # type: ignore[no-untyped-def]
    answer = await ask(range=header)
    assert (answer.status_code, answer.content) == (200, FILM)
    assert "content-range" not in answer.headers
    assert answer.headers["accept-ranges"] == "bytes"


async def test_head_tells_what_there_is(ask) -> None:  # type: ignore[no-untyped-def]
    for headers in ({}, {"range": "bytes=0-5"}):
        answer = await ask("HEAD", **headers)
        assert (answer.status_code, answer.content) == (200, b"")
        assert (answer.headers["content-length"], answer.headers["accept-ranges"]) == (str(SIZE), "bytes")
        assert answer.headers["etag"]


async def test_who_has_the_file_gets_304(ask) -> None:  # type: ignore[no-untyped-def]
    etag = (await ask("HEAD")).headers["etag"]
    for known in (etag, f"W/{etag}", "*"):
        answer = await ask(if_none_match=known)
        assert (answer.status_code, answer.content) == (304, b""), known
    assert (await ask(if_none_match=etag, range="bytes=0-5")).status_code == 304
    assert (await ask(if_none_match='"other"', range="bytes=0-5")).status_code == 206
    assert (await ask(if_none_match="nonsense")).status_code == 200


async def test_if_range(ask) -> None:  # type: ignore[no-untyped-def]
    etag = (await ask("HEAD")).headers["etag"]
    for header in ("bytes=0-5", "bytes=-6"):
        same = await ask(range=header, if_range=etag)
        assert (same.status_code, len(same.content)) == (206, 6)
        for other in ('"other"', f"W/{etag}", "Tue, 24 Nov 2026 16:00:00 GMT", "nonsense"):
            whole = await ask(range=header, if_range=other)
            assert (whole.status_code, len(whole.content)) == (200, SIZE), other
    assert (await ask(if_range='"other"')).status_code == 200


async def test_a_path_that_nobody_signed(api: RunningApi, path: str, objects: ObjectStore) -> None:
    del objects
    changed = path.replace("film", "other")
    assert (await api.nobody().get(changed, headers={"Range": "bytes=0-5"})).status_code == 404


async def test_a_file_that_is_gone(ask, objects: ObjectStore) -> None:  # type: ignore[no-untyped-def]
    await objects.delete([KEY])
    for headers in ({}, {"range": "bytes=0-5"}, {"range": "bytes=-5"}, {"range": "bytes=5-"}):
        assert (await ask(**headers)).status_code == 404


async def test_pieces_of_the_store(objects: ObjectStore) -> None:
    piece = await objects.piece(KEY, 10, 20)
    assert piece is not None
    assert (piece.data, piece.size) == (FILM[10:20], SIZE)
    assert await objects.piece(KEY, 10, 20, unless=piece.etag) is None
    with pytest.raises(ChangedMeanwhile):
        await objects.piece(KEY, 10, 20, match='"other"')
    with pytest.raises(NotFound):
        await objects.piece("none.mp4", 0, 1)


async def test_a_file_that_changes_while_it_is_sent_is_never_mixed(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "WINDOW", 2**20)
    start = await objects.piece(KEY, 0, 2**20)
    assert start is not None
    sent = ranges._windows(objects, KEY, start, 0, SIZE)
    assert await anext(sent) == FILM[: 2**20]
    await objects.put(KEY, FILM[::-1], "video/mp4")
    with pytest.raises(ChangedMeanwhile):
        await anext(sent)
