"""Signed paths, and the route that serves them on one machine."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest

from invokeai_saas.errors import NotFound, SetupError
from invokeai_saas.settings import Settings
from invokeai_saas.storage.keys import image_key, thumbnail_key
from invokeai_saas.storage.media import MediaSigner
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from tests.apps import RunningApi

KEY = image_key("5f6e", "a b.png")
SECRET = "a-secret-of-more-than-32-bytes-of-text"
PICTURE = b"\x89PNG and more"


@pytest.fixture
def signer(settings: Settings) -> MediaSigner:
    return MediaSigner(settings.media_signing_key.get_secret_value(), settings.media_url_seconds)


@pytest.fixture
async def objects(settings: Settings) -> ObjectStore:
    store = open_object_store(settings)
    await store.put(KEY, PICTURE, "image/png")
    return store


def test_keys_lie_below_their_person() -> None:
    assert image_key("u", "n.png") == "users/u/images/n.png"
    assert thumbnail_key("u", "n.png") == "users/u/images/thumbnails/n.webp"


@pytest.mark.parametrize("key", ["", "x" * 31])
def test_anybody_could_sign_with_a_key_that_is_missing_or_short(key: str) -> None:
    with pytest.raises(SetupError, match="MEDIA_SIGNING_KEY"):
        MediaSigner(key, 3600)


def test_paths_stay_the_same_for_a_while_and_end() -> None:
    signer = MediaSigner(SECRET, 1000)
    path = signer.path("users/u/images/n.png")
    assert path == signer.path("users/u/images/n.png")
    expires = int(parse_qs(urlsplit(path).query)["expires"][0])
    assert 1000 <= expires - time.time() + 1 <= 2001


def test_a_path_is_good_for_its_own_key_and_time_alone() -> None:
    signer = MediaSigner(SECRET, 1000)
    query = parse_qs(urlsplit(signer.path("a")).query)
    expires, signature = int(query["expires"][0]), query["signature"][0]
    signer.check("a", expires, signature)
    past = int(time.time()) - 1
    for key, moment, other in [
        ("b", expires, signature),
        ("a", expires + 1, signature),
        ("a", expires, signature[:-1]),
        ("a", expires, "ü"),
        ("a", past, MediaSigner(SECRET, 1000)._signature("a", past)),
        ("a", expires, MediaSigner(SECRET[::-1], 1000)._signature("a", expires)),
    ]:
        with pytest.raises(NotFound):
            signer.check(key, moment, other)


async def test_whoever_holds_the_path_gets_the_file(
    api: RunningApi, objects: ObjectStore, signer: MediaSigner
) -> None:
    answer = await api.nobody().get(signer.path(KEY))
    assert (answer.status_code, answer.content) == (200, PICTURE)
    assert answer.headers["content-type"] == "image/png"
    directives = answer.headers["cache-control"].split(", ")
    assert "private" in directives
    max_age = next(int(d.removeprefix("max-age=")) for d in directives if d.startswith("max-age="))
    assert 3000 < max_age <= 7200


async def test_the_pages_own_parameter_is_not_signed(
    api: RunningApi, objects: ObjectStore, signer: MediaSigner
) -> None:
    answer = await api.nobody().get(signer.path(KEY) + "&media_cookie_version=3")
    assert answer.status_code == 200


async def test_head_and_conditional_requests(
    api: RunningApi, objects: ObjectStore, signer: MediaSigner
) -> None:
    nobody, path = api.nobody(), signer.path(KEY)
    head = await nobody.request("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(PICTURE))
    etag = head.headers["etag"]
    same = await nobody.get(path, headers={"if-none-match": etag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert "max-age" in same.headers["cache-control"]
    for other in ('"something-else"', "nonsense", '"unclosed', "x" * 5000, b'"\xff"', '"a\tb"'):
        changed = await nobody.get(path, headers={"if-none-match": other})
        assert (changed.status_code, changed.content) == (200, PICTURE), other


@pytest.mark.parametrize(
    "query", ["", "?expires=9999999999", "?expires=9999999999&signature=x", "?signature=x"]
)
async def test_unsigned_paths_are_not_found(api: RunningApi, objects: ObjectStore, query: str) -> None:
    answer = await api.nobody().get(f"/images/{KEY}{query}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_signed_path_of_nothing_is_not_found(api: RunningApi, signer: MediaSigner) -> None:
    for method in ("GET", "HEAD"):
        answer = await api.nobody().request(method, signer.path("users/u/images/gone.png"))
        assert answer.status_code == 404


async def test_types_come_from_the_ending_not_from_the_uploader(
    api: RunningApi, objects: ObjectStore, signer: MediaSigner
) -> None:
    await objects.put("users/u/uploads/page.html", b"<script>", "text/html")
    answer = await api.nobody().get(signer.path("users/u/uploads/page.html"))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_store_being_away_is_said(settings: Settings) -> None:
    from invokeai_saas.errors import Unavailable

    away = open_object_store(settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"}))
    with pytest.raises(Unavailable):
        await away.head(KEY)
