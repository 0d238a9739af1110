"""Thumbnails of workflows: drawn anew, seen by their owner, and never a stranger's file."""

from __future__ import annotations

import struct
import zlib
from uuid import uuid4

import pytest

from invokeai_saas.errors import NotFound
from invokeai_saas.identity.access import MEDIA_COOKIE
from tests.apps import RunningApi, Subject
from tests.gallery.files import jpeg_of_many_scans
from tests.studio.things import field, image_file, opened, picture
from tests.studio.workflows.library import LIBRARY, keep


async def _thumbnail_path(subject: Subject, kept_id: str) -> str:
    found = (await subject.get(f"{LIBRARY}/i/{kept_id}")).json()
    return str(found["thumbnail_url"])


async def test_a_picture_becomes_a_small_webp(api: RunningApi, ada: Subject) -> None:
    kept = (await keep(ada))["workflow_id"]
    for file_format in ("PNG", "JPEG", "WEBP", "GIF"):
        data = picture((600, 300), file_format)
        answer = await ada.put(f"{LIBRARY}/i/{kept}/thumbnail", files=image_file(data))
        assert (answer.status_code, answer.json()["workflow_id"]) == (200, kept)
        # As an <img> asks: by the path that the page is told, without a token.
        shown = await api.nobody().get(await _thumbnail_path(ada, kept))
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
        assert (opened(shown.content).format, opened(shown.content).size) == ("WEBP", (256, 128))
    listed = (await ada.get(f"{LIBRARY}/?categories=user")).json()["items"]
    assert listed[0]["thumbnail_url"].startswith(f"/images/users/{ada.user_id}/workflows/")


async def test_another_picture_has_another_path_and_the_old_file_goes(api: RunningApi, ada: Subject) -> None:
    kept = (await keep(ada))["workflow_id"]
    path = f"{LIBRARY}/i/{kept}/thumbnail"
    paths = []
    for _ in range(2):
        await ada.put(path, files=image_file(picture()))
        paths.append(await _thumbnail_path(ada, kept))
    assert paths[0] != paths[1]
    keys = [one.partition("?")[0].removeprefix("/images/") for one in paths]
    with pytest.raises(NotFound):
        await api.services.objects.head(keys[0])
    assert (await ada.request("DELETE", path)).json()["workflow_id"] == kept
    assert (await ada.request("DELETE", path)).status_code == 200  # there is none: nothing to be said
    with pytest.raises(NotFound):
        await api.services.objects.head(keys[1])
    assert await _thumbnail_path(ada, kept) == "None"
    await ada.put(path, files=image_file(picture()))
    key = (await _thumbnail_path(ada, kept)).partition("?")[0].removeprefix("/images/")
    await ada.request("DELETE", f"{LIBRARY}/i/{kept}")
    with pytest.raises(NotFound):
        await api.services.objects.head(key)


async def test_a_jpeg_that_takes_an_hour_to_decode_is_refused(ada: Subject) -> None:
    kept = (await keep(ada))["workflow_id"]
    answer = await ada.put(f"{LIBRARY}/i/{kept}/thumbnail", files=image_file(jpeg_of_many_scans()))
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_who_sees_it(api: RunningApi, ada: Subject, bob: Subject) -> None:
    kept = (await keep(ada))["workflow_id"]
    path = f"{LIBRARY}/i/{kept}/thumbnail"
    assert (await ada.get(path)).status_code == 404  # it has none
    await ada.put(path, files=image_file(picture()))
    by_token = await ada.get(path)
    assert (by_token.status_code, by_token.headers["content-type"]) == (200, "image/webp")
    assert "private" in by_token.headers["cache-control"]
    by_cookie = api.nobody()
    await ada.post("/api/v1/auth/media-cookie")
    by_cookie.client.cookies.set(MEDIA_COOKIE, ada.client.cookies[MEDIA_COOKIE])
    assert (await by_cookie.get(path)).content == by_token.content
    assert (await api.nobody().get(path)).status_code == 401
    assert (await bob.get(path)).status_code == 404
    assert (await bob.put(path, files=image_file(picture()))).status_code == 404
    assert (await api.nobody().put(path, files=image_file(picture()))).status_code == 401
    signed = await _thumbnail_path(ada, kept)
    assert (await api.nobody().get(signed.partition("?")[0])).status_code == 404
    assert (await ada.get(path)).content == by_token.content


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _bomb(width: int, height: int, *chunks: bytes) -> bytes:
    """A few bytes that claim to be a very large picture."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = _chunk(b"IDAT", zlib.compress(bytes(3 * width * 8 + 8), 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + rows + _chunk(b"IEND", b"")


# Eighty megabytes of text beside the picture.
_TEXT_BOMB = _chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(80_000_000), 9))


async def test_what_is_no_picture_is_refused(ada: Subject) -> None:
    kept = (await keep(ada))["workflow_id"]
    path = f"{LIBRARY}/i/{kept}/thumbnail"
    for data, content_type in [
        (b"<svg/>", "image/svg+xml"),
        (b"", "image/png"),
        (b"not a picture", "image/png"),
        (picture()[:200], "image/png"),
        (picture(file_format="TIFF"), "image/png"),  # a format that is not read
        (picture(), "text/plain"),
        (_bomb(8, 8, _TEXT_BOMB), "image/png"),
    ]:
        answer = await ada.put(path, files=image_file(data, content_type))
        assert answer.status_code == 415, (data[:20], answer.text)
        assert answer.json()["code"] == "unsupported_media_type"
    for size in ((10_000, 5_000), (20_000, 6_000), (60_000, 60_000)):
        large = await ada.put(path, files=image_file(_bomb(*size)))
        assert (large.status_code, large.json()["code"]) == (413, "payload_too_large"), size
    assert field(await ada.put(path)) == "body.image"
    assert field(await ada.put(path, data={"image": "text"})) == "body.image"
    too_long = await ada.put(path, files=image_file(picture() + bytes(9_000_000)))
    assert too_long.status_code == 413
    assert (await ada.get(path)).status_code == 404
    nowhere = await ada.put(f"{LIBRARY}/i/{uuid4()}/thumbnail", files=image_file(picture()))
    assert nowhere.status_code == 404


async def test_a_turned_photograph_stands_upright_and_says_nothing_of_its_camera(ada: Subject) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "A camera"
    kept = (await keep(ada))["workflow_id"]
    data = picture((600, 300), "JPEG", exif=exif)
    await ada.put(f"{LIBRARY}/i/{kept}/thumbnail", files=image_file(data, "image/jpeg"))
    shown = await ada.get(f"{LIBRARY}/i/{kept}/thumbnail")
    assert opened(shown.content).size == (128, 256)
    assert not opened(shown.content).getexif()
