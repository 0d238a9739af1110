"""Uploads: what is taken and what is refused, what is kept of a file, and that neither half is ever left alone."""

from __future__ import annotations

import asyncio
import io
import json
import resource
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from PIL import Image

from invokeai_saas.errors import Unavailable
from invokeai_saas.gallery import service as gallery
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore
from tests.apps import RunningApi, Subject, running_api
from tests.gallery import files
from tests.gallery.files import encoded, picture
from tests.gallery.people import Gallery
from tests.servers import TestDatabase

PATH = "/api/v1/images/upload"
PNG = encoded(picture())


async def _upload(
    subject: Subject, data: bytes = PNG, form: dict[str, str] | None = None, **query: Any
) -> httpx.Response:
    asked = {"image_category": "user", "is_intermediate": False, **query}
    parts = {"file": ("holiday.png", data, "image/png")}
    return await subject.post(PATH, params=asked, files=parts, data=form or {})


async def _uploaded(
    subject: Subject, data: bytes = PNG, form: dict[str, str] | None = None, **query: Any
) -> Any:
    answer = await _upload(subject, data, form, **query)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _upload_in_chunks(subject: Subject) -> httpx.Response:
    """An intermediate picture in a request that does not say how long it is."""
    request = httpx.Request("POST", "http://api", files={"file": ("layer.png", PNG, "image/png")})
    body, headers = request.read(), {"content-type": request.headers["content-type"]}

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    asked = {"image_category": "general", "is_intermediate": True}
    return await subject.post(PATH, params=asked, content=chunks(), headers=headers)


async def _kept(subject: Subject, dto: dict[str, Any]) -> tuple[bytes, Image.Image]:
    answer = await subject.get(dto["image_url"])
    assert answer.status_code == 200
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    return answer.content, image


def _files(objects: ObjectStore, user_id: UUID) -> list[str]:
    return [found.key for found in objects.list_sync(f"users/{user_id}/", None, 1000)]


def _rows(database: TestDatabase) -> int:
    with psycopg.connect(database.owner) as connection:
        row = connection.execute("SELECT count(*) FROM images").fetchone()
    assert row is not None
    return int(row[0])


def _set_storage(database: TestDatabase, user_id: UUID, *, used: int) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "INSERT INTO gallery_state (user_id, bytes) VALUES (%s, %s)"
            " ON CONFLICT (user_id) DO UPDATE SET bytes = excluded.bytes",
            [user_id, used],
        )


def _limit(database: TestDatabase) -> int:
    with psycopg.connect(database.owner) as connection:
        row = connection.execute(
            "SELECT max_storage_gb FROM subscription_plans WHERE slug = 'trial'"
        ).fetchone()
    assert row is not None
    return int(row[0]) * 2**30


async def test_an_upload_is_answered_as_a_picture(ada: Gallery, objects: ObjectStore) -> None:
    board = ada.board()
    answer = await _upload(ada.subject, board_id=board, session_id="a-session", image_category="control")
    dto = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, dto["image_url"])
    assert UUID(dto["image_name"].removesuffix(".png")).version == 4
    expected = {
        "image_origin": "external", "image_category": "control", "width": 40, "height": 30, "board_id": board,
        "session_id": "a-session", "node_id": None, "is_intermediate": False, "starred": False,
        "has_workflow": False, "image_subfolder": "", "deleted_at": None,
    }  # fmt: skip
    assert {key: dto[key] for key in expected} == expected
    assert (await ada.subject.get(f"/api/v1/images/i/{dto['image_name']}")).json() == dto
    content, image = await _kept(ada.subject, dto)
    assert (image.format, image.size, image.tobytes()) == ("PNG", (40, 30), picture().tobytes())
    thumbnail = await ada.subject.get(dto["thumbnail_url"])
    assert Image.open(io.BytesIO(thumbnail.content)).format == "WEBP"
    stem = f"users/{ada.user_id}/images"
    name = dto["image_name"].removesuffix(".png")
    assert _files(objects, ada.user_id) == [f"{stem}/{name}.png", f"{stem}/thumbnails/{name}.webp"]
    state = await _stored(ada)
    assert state == len(content) + len(thumbnail.content)
    assert (
        await ada.subject.post("/api/v1/images/delete", json={"image_names": [dto["image_name"]]})
    ).is_success
    assert (await _stored(ada), _files(objects, ada.user_id)) == (0, [])


async def _stored(person: Gallery) -> int:
    with psycopg.connect(person._database.owner) as connection:
        row = connection.execute(
            "SELECT bytes FROM gallery_state WHERE user_id = %s", [person.user_id]
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_it_is_seen_by_its_person_alone(ada: Gallery, bob: Gallery, api: RunningApi) -> None:
    dto = await _uploaded(ada.subject)
    shown = (await ada.subject.get("/api/v1/gallery/item_names")).text
    assert dto["image_name"] in shown
    for path in ("", "/full", "/metadata", "/thumbnail"):
        theirs = await bob.subject.get(f"/api/v1/images/i/{dto['image_name']}{path}")
        assert theirs.status_code == 404
    assert dto["image_name"] not in (await bob.subject.get("/api/v1/gallery/item_names")).text
    refused = await _upload(api.nobody())
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


MODES = {"RGB": "RGB", "RGBA": "RGBA", "L": "L", "1": "L", "P": "RGB", "LA": "RGBA", "I;16": "I;16"}
FORMATS = [
    ("JPEG", "RGB", "RGB"), ("JPEG", "CMYK", "RGB"), ("JPEG", "L", "L"), ("WEBP", "RGB", "RGB"),
    ("WEBP", "RGBA", "RGBA"), ("GIF", "P", "RGB"), ("BMP", "RGB", "RGB"),
]  # fmt: skip


async def test_modes_that_nodes_know_stay(ada: Gallery) -> None:
    for mode, kept in MODES.items():
        source = Image.new("I;16", (40, 30), 40_000) if mode == "I;16" else picture(mode)
        _, image = await _kept(ada.subject, await _uploaded(ada.subject, encoded(source)))
        assert image.mode == kept, mode
        assert mode != kept or image.tobytes() == source.tobytes(), mode


async def test_every_format_becomes_png(ada: Gallery) -> None:
    for format, mode, kept in FORMATS:
        source = picture(mode)
        if mode == "RGBA":
            source.putalpha(100)
        _, image = await _kept(ada.subject, await _uploaded(ada.subject, encoded(source, format)))
        assert (image.format, image.mode, image.size) == ("PNG", kept, (40, 30)), (format, mode)


async def test_transparency_of_palettes_is_kept(ada: Gallery) -> None:
    source = picture("P")
    _, image = await _kept(
        ada.subject, await _uploaded(ada.subject, encoded(source, transparency=source.getpixel((0, 0))))
    )
    assert image.mode == "RGBA"
    assert image.getchannel("A").getextrema() == (0, 255)


async def test_a_photo_stands_upright_and_tells_nothing_of_where_it_was_taken(ada: Gallery) -> None:
    photo = files.phone_photo()
    assert b"SecretCameraMaker" in photo
    content, image = await _kept(ada.subject, await _uploaded(ada.subject, photo))
    assert image.size == (30, 40)
    assert not image.getexif()
    assert b"SecretCameraMaker" not in content


async def test_a_photo_with_a_second_view_is_a_photo(ada: Gallery) -> None:
    both = encoded(picture(), "MPO", save_all=True, append_images=[picture()])
    assert (await _uploaded(ada.subject, both))["width"] == 40


async def test_what_colours_mean_is_kept_and_other_chunks_are_not(ada: Gallery) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = encoded(picture(), icc_profile=profile) + b"<script>after the end</script>"
    content, image = await _kept(ada.subject, await _uploaded(ada.subject, source))
    assert image.info["icc_profile"] == profile
    assert b"script" not in content
    commented, _ = await _kept(
        ada.subject, await _uploaded(ada.subject, files.described_png(Comment="my street"))
    )
    assert b"my street" not in commented


async def test_invokeais_texts_are_read_back(ada: Gallery) -> None:
    metadata = {"positive_prompt": "a red heart", "seed": 7}
    source = files.described_png(
        invokeai_metadata=metadata, invokeai_workflow=files.WORKFLOW, invokeai_graph=files.GRAPH
    )
    dto = await _uploaded(ada.subject, source)
    assert dto["has_workflow"] is True
    path = f"/api/v1/images/i/{dto['image_name']}"
    assert (await ada.subject.get(f"{path}/metadata")).json() == metadata
    both = (await ada.subject.get(f"{path}/workflow")).json()
    assert json.loads(both["workflow"]) == files.WORKFLOW
    assert json.loads(both["graph"]) == files.GRAPH
    _, image = await _kept(ada.subject, dto)
    assert json.loads(image.info["invokeai_metadata"]) == metadata
    assert json.loads(image.info["invokeai_graph"]) == files.GRAPH
    again = await _uploaded(ada.subject, (await ada.subject.get(dto["image_url"])).content)
    assert (await ada.subject.get(f"/api/v1/images/i/{again['image_name']}/metadata")).json() == metadata


NO_TEXTS = [
    "", "no json", "[]", "1", '{"a": NaN}', '{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"a":' * 500 + "1" + "}" * 500,
]  # fmt: skip


async def test_texts_that_do_not_hold_are_passed_over(ada: Gallery) -> None:
    for text in NO_TEXTS:
        by_chunk = await _uploaded(
            ada.subject,
            files.described_png(invokeai_metadata=text, invokeai_workflow=text, invokeai_graph={"nodes": 1}),
        )
        by_form = await _uploaded(ada.subject, form={"metadata": text})
        for dto in (by_chunk, by_form):
            answer = await ada.subject.get(f"/api/v1/images/i/{dto['image_name']}/metadata")
            assert (dto["has_workflow"], answer.json()) == (False, None), text[:30]


async def test_metadata_of_the_form_replaces_the_files(ada: Gallery) -> None:
    source = files.described_png(invokeai_metadata={"seed": 1})
    dto = await _uploaded(ada.subject, source, {"metadata": '{"seed": 2}'})
    assert (await ada.subject.get(f"/api/v1/images/i/{dto['image_name']}/metadata")).json() == {"seed": 2}


async def test_what_is_transparent_around_it_is_cut_off(ada: Gallery) -> None:
    source = Image.new("RGBA", (50, 50))
    source.paste((255, 0, 0, 255), (10, 20, 30, 25))
    dto = await _uploaded(ada.subject, encoded(source), crop_visible=True)
    assert (dto["width"], dto["height"]) == (20, 5)
    blank = await _uploaded(ada.subject, encoded(Image.new("RGBA", (50, 50))), crop_visible=True)
    assert (blank["width"], blank["height"]) == (50, 50)


async def test_it_is_resized(ada: Gallery) -> None:
    form = {"resize_to": json.dumps({"width": 64, "height": 48})}
    _, photo = await _kept(ada.subject, await _uploaded(ada.subject, form=form))
    assert (photo.size, photo.mode) == ((64, 48), "RGBA")
    areas = Image.new("RGB", (30, 30), (250, 10, 10))
    areas.paste((10, 250, 10), (0, 0, 7, 7))
    areas.paste((10, 10, 250), (15, 15, 22, 22))
    _, map_of_areas = await _kept(ada.subject, await _uploaded(ada.subject, encoded(areas), form))
    assert {colour for _, colour in map_of_areas.getcolors() or []} == {
        (250, 10, 10, 255), (10, 250, 10, 255), (10, 10, 250, 255),
    }  # fmt: skip
    lines = Image.new("RGB", (30, 30))
    lines.paste((255, 255, 255), (10, 0, 12, 30))
    _, drawing = await _kept(ada.subject, await _uploaded(ada.subject, encoded(lines), form))
    assert {colour for _, colour in drawing.getcolors() or []} == {(0, 0, 0, 255), (255, 255, 255, 255)}
    two = Image.new("RGB", (30, 30), (200, 0, 0))
    two.paste((0, 0, 200), (10, 0, 20, 30))
    _, coloured = await _kept(ada.subject, await _uploaded(ada.subject, encoded(two), form))
    assert coloured.getpixel((0, 0)) == (200, 0, 0, 255)


NO_SIZES = [
    "[64,64]",
    "64",
    "x",
    '{"width": 0, "height": 5}',
    '{"width": 4097, "height": 4096}',
    '{"width": 1e99, "height": 1}',
]


async def test_sizes_that_are_none_are_refused(ada: Gallery) -> None:
    for text in NO_SIZES:
        answer = await _upload(ada.subject, form={"resize_to": text})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), text


async def test_files_that_are_refused(ada: Gallery, objects: ObjectStore, database: TestDatabase) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for case, (data, status) in files.REFUSED.items():
        answer = await _upload(ada.subject, data)
        assert answer.status_code == status, (case, answer.text)
        assert answer.json()["code"] == {413: "payload_too_large", 415: "unsupported_media_type"}[status]
        assert answer.json()["detail"].endswith("."), case
    assert (_rows(database), _files(objects, ada.user_id)) == (0, [])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB: no bomb was decoded


async def test_the_claim_counts_for_nothing(ada: Gallery) -> None:
    for claim in ("text/html", "application/octet-stream", "image/svg+xml"):
        parts = {"file": ("x.html", PNG, claim)}
        query = {"image_category": "user", "is_intermediate": "false"}
        assert (await ada.subject.post(PATH, params=query, files=parts)).status_code == 201


BAD_QUERIES: dict[str, Any] = {
    "image_category": "holiday",
    "is_intermediate": "perhaps",
    "session_id": "a\0",
    "board_id": "x" * 256,
    "crop_visible": "perhaps",
}


async def test_bad_parameters_are_named(ada: Gallery) -> None:
    for field, value in BAD_QUERIES.items():
        answer = await _upload(ada.subject, **{field: value})
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", field])


async def test_forms_without_a_file(ada: Gallery) -> None:
    query = {"image_category": "user", "is_intermediate": "false"}
    many = [("file", ("a.png", PNG)), ("file", ("b.png", PNG))]
    for options, status in [
        ({"data": {"metadata": "{}"}}, 422),
        ({"data": {"file": "text"}}, 422),
        ({"json": {}}, 422),
        ({}, 422),
        ({"files": {"file": ("a.png", PNG), "metadata": ("m.json", b"{}")}}, 400),
        ({"files": many}, 400),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
        ({"content": b"--b\r\nx", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 422),
        ({"content": b"\xff" * 9, "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400),
    ]:
        answer = await ada.subject.post(PATH, params=query, **options)  # type: ignore[arg-type]
        assert answer.status_code == status, (options, answer.text)


async def test_another_persons_board_is_none(ada: Gallery, bob: Gallery, database: TestDatabase) -> None:
    for board in (bob.board(), str(uuid4()), "none", "", "x"):
        answer = await _upload(ada.subject, board_id=board)
        assert (answer.status_code, answer.json()["detail"]) == (404, "This board was not found."), board
    assert _rows(database) == 0


async def test_a_board_that_goes_meanwhile_leaves_nothing(
    ada: Gallery, objects: ObjectStore, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = ada.board()
    put = ObjectStore.put_file

    async def and_then_the_board_goes(self: ObjectStore, *args: Any) -> None:
        await put(self, *args)
        assert (await ada.subject.request("DELETE", f"/api/v1/boards/{board}")).is_success

    monkeypatch.setattr(ObjectStore, "put_file", and_then_the_board_goes)
    assert (await _upload(ada.subject, board_id=board)).status_code == 404
    assert (_rows(database), _files(objects, ada.user_id)) == (0, [])


async def test_a_store_that_goes_away_halfway_leaves_no_row(
    ada: Gallery, objects: ObjectStore, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_args: Any) -> None:
        raise Unavailable("The file store cannot be reached right now. Please try again.")

    monkeypatch.setattr(ObjectStore, "put", away)  # of the thumbnail: the picture is there by then
    answer = await _upload(ada.subject)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (_rows(database), _files(objects, ada.user_id)) == (0, [])


async def test_a_server_that_dies_at_the_commit_leaves_files_at_most(
    ada: Gallery, objects: ObjectStore, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the row was kept nobody can know then, so the files must stay."""

    require = gallery.require

    async def and_then_the_connection_dies(*args: Any) -> Any:
        row = await require(*args)
        with psycopg.connect(database.url(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state = 'idle in transaction'"
            )
        return row

    monkeypatch.setattr(gallery, "require", and_then_the_connection_dies)
    answer = await _upload(ada.subject)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (_rows(database), len(_files(objects, ada.user_id))) == (0, 2)


async def test_limits_of_size(settings: Settings, database: TestDatabase) -> None:
    small = settings.model_copy(update={"max_upload_bytes": 2**20, "max_body_bytes": 2**19})
    async with running_api(small) as api:
        ada = await api.person("ada@example.com")
        noise = Image.effect_noise((600, 600), 90).convert("RGB")
        fits = encoded(noise, compress_level=0)[: 2**20]
        assert (await _upload(ada, fits)).status_code == 415  # read, and then found to be cut off
        for size in (2**20 + 1, 2**20 + 2**19 + 1):  # past the file's limit, past the request's
            answer = await _upload(ada, b"\x89PNG\r\n\x1a\n" + b"x" * (size - 8))
            assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
        other = await ada.post("/api/v1/boards/", params={"board_name": "b"}, content=b"x" * (2**19 + 1))
        assert other.status_code == 413  # uploads alone may be longer


async def test_pixels_exactly_at_the_limit(settings: Settings, database: TestDatabase) -> None:
    async with running_api(settings.model_copy(update={"max_upload_pixels": 1200})) as api:
        ada = await api.person("ada@example.com")
        assert (await _upload(ada)).status_code == 201  # 40 x 30
        wider = await _upload(ada, encoded(picture(size=(41, 30))))
        assert (wider.status_code, wider.json()["width"], wider.json()["limit"]) == (413, 41, 1200)


async def test_so_many_a_minute(settings: Settings, database: TestDatabase) -> None:
    assert Settings.model_fields["uploads_per_minute"].default == 20
    async with running_api(settings.model_copy(update={"uploads_per_minute": 3})) as api:
        ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
        answers = [await _upload(ada) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert (await _upload(bob)).status_code == 201


async def test_layers_of_a_canvas_have_a_limit_of_their_own(
    settings: Settings, database: TestDatabase
) -> None:
    few = settings.model_copy(
        update={"uploads_per_minute": 2, "layers_per_minute": 4, "max_layer_bytes": 50_000}
    )
    long = encoded(Image.effect_noise((300, 300), 90).convert("RGB"), compress_level=0)
    assert len(long) > few.max_layer_bytes
    async with running_api(few) as api:
        ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
        layers = [(await _upload(ada, is_intermediate="true")).status_code for _ in range(5)]
        assert layers == [201, 201, 201, 201, 429]
        # What is long counts as an upload, whatever it calls itself; so does what does not say how long it is.
        assert (await _upload(ada, long, is_intermediate="true")).status_code == 201
        assert (await _upload_in_chunks(ada)).status_code == 201
        assert (await _upload(ada)).status_code == 429
        assert (await _upload(ada, long, is_intermediate="true")).status_code == 429
        assert (await _upload_in_chunks(ada)).status_code == 429
        assert (await _upload(bob, is_intermediate="true")).status_code == 201


async def test_storage_exactly_at_its_edge(
    ada: Gallery, database: TestDatabase, objects: ObjectStore
) -> None:
    limit = _limit(database)
    await _uploaded(ada.subject)
    size = await _stored(ada)
    _set_storage(database, ada.user_id, used=limit - size)
    await _uploaded(ada.subject)
    assert await _stored(ada) == limit
    refused = await _upload(ada.subject)
    body = refused.json()
    assert (refused.status_code, body["code"], body["used"], body["limit"]) == (
        507, "storage_quota_exceeded", limit, limit,
    )  # fmt: skip
    _set_storage(database, ada.user_id, used=limit - size + 1)
    refused = await _upload(ada.subject)
    assert (refused.status_code, refused.json()["used"]) == (507, limit - size + 1)
    assert await _stored(ada) == limit - size + 1
    assert (_rows(database), len(_files(objects, ada.user_id))) == (2, 4)


async def test_of_many_at_once_only_those_that_fit(
    ada: Gallery, database: TestDatabase, objects: ObjectStore
) -> None:
    await _uploaded(ada.subject)
    size = await _stored(ada)
    _set_storage(database, ada.user_id, used=_limit(database) - 3 * size)
    answers = await asyncio.gather(*(_upload(ada.subject) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [507] * 5
    assert await _stored(ada) == _limit(database)
    assert (_rows(database), len(_files(objects, ada.user_id))) == (4, 8)


async def test_two_of_two_processes_for_the_last_place(
    ada: Gallery, settings: Settings, database: TestDatabase
) -> None:
    await _uploaded(ada.subject)
    size = await _stored(ada)
    _set_storage(database, ada.user_id, used=_limit(database) - size)
    async with running_api(settings) as elsewhere:
        there = elsewhere.nobody()
        there.client.headers["authorization"] = f"Bearer {ada.subject.token}"
        answers = await asyncio.gather(_upload(ada.subject), _upload(there))
    assert sorted(answer.status_code for answer in answers) == [201, 507]


async def test_a_plan_without_a_limit_has_none(ada: Gallery, database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET max_storage_gb = NULL WHERE slug = 'trial'")
    _set_storage(database, ada.user_id, used=2**50)
    await _uploaded(ada.subject)


async def test_without_a_plan_nothing_is_taken(ada: Gallery, database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE user_subscriptions SET status = 'expired'")
    refused = await _upload(ada.subject)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_in_plan")


async def test_two_of_the_same_content_are_two_pictures(ada: Gallery, objects: ObjectStore) -> None:
    first, second = await asyncio.gather(_uploaded(ada.subject), _uploaded(ada.subject))
    assert first["image_name"] != second["image_name"]
    assert (await ada.subject.request("DELETE", f"/api/v1/images/i/{first['image_name']}")).is_success
    await _kept(ada.subject, second)
    assert len(_files(objects, ada.user_id)) == 2


def test_no_row_of_the_api_names_another_persons_file(database: TestDatabase) -> None:
    from invokeai_saas.db import roles
    from tests.factories import make_image, make_person

    ada, bob = make_person(database), make_person(database)
    with psycopg.connect(database.url(roles.API)) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, false)", [str(ada)])
        connection.commit()
        make_image(connection, ada)
        connection.commit()
        for key in ("s3_key", "s3_thumbnail_key"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                make_image(connection, ada, **{key: f"users/{bob}/images/x.png"})
            connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            make_image(connection, bob)
