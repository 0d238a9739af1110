"""A person's style presets, with their pictures and files."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from invokeai_saas.errors import NotFound
from invokeai_saas.identity.access import MEDIA_COOKIE
from invokeai_saas.studio.presets import files, service
from tests.apps import RunningApi, Subject
from tests.studio.things import field, image_file, opened, picture, preset_form

PRESETS = "/api/v1/style_presets"


async def keep(subject: Subject, files: Any = None, **changes: Any) -> dict[str, Any]:
    answer = await subject.post(f"{PRESETS}/", data=preset_form(**changes), files=files)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def own(subject: Subject) -> list[str]:
    listed = (await subject.get(f"{PRESETS}/")).json()
    return [preset["name"] for preset in listed if preset["type"] == "user"]


async def test_a_preset_is_kept_changed_and_deleted(ada: Subject) -> None:
    kept = await keep(ada)
    path = f"{PRESETS}/i/{kept['id']}"
    assert kept == {
        "id": kept["id"],
        "user_id": str(ada.user_id),
        "name": "Mine",
        "preset_data": {"positive_prompt": "{prompt}, oil", "negative_prompt": "blurry"},
        "type": "user",
        "is_public": False,
        "image": None,
    }
    assert (await ada.get(path)).json() == kept
    changed = await ada.request("PATCH", path, data=preset_form(name="New", is_public=True))
    assert changed.json() == kept | {"name": "New", "is_public": True}
    await keep(ada, name="a before it")
    assert await own(ada) == ["a before it", "New"]
    gone = await ada.request("DELETE", path)
    assert (gone.status_code, gone.json()) == (200, None)
    assert (await ada.get(path)).status_code == (await ada.request("DELETE", path)).status_code == 404


async def test_pictures(api: RunningApi, ada: Subject, bob: Subject) -> None:
    kept = await keep(ada, files=image_file(picture()))
    path = f"{PRESETS}/i/{kept['id']}"
    assert kept["image"].startswith(f"/images/users/{ada.user_id}/style_presets/")
    shown = await api.nobody().get(kept["image"])
    assert (opened(shown.content).format, opened(shown.content).size) == ("WEBP", (256, 128))
    assert (await ada.get(f"{path}/image")).content == shown.content
    by_cookie = api.nobody()
    await ada.post("/api/v1/auth/media-cookie")
    by_cookie.client.cookies.set(MEDIA_COOKIE, ada.client.cookies[MEDIA_COOKIE])
    assert (await by_cookie.get(f"{path}/image")).content == shown.content
    assert (await bob.get(f"{path}/image")).status_code == 404
    assert (await api.nobody().get(f"{path}/image")).status_code == 401
    assert (await api.nobody().get(kept["image"].partition("?")[0])).status_code == 404
    other = await ada.request("PATCH", path, data=preset_form(), files=image_file(picture((100, 100))))
    assert other.json()["image"] != kept["image"]
    assert (await api.nobody().get(kept["image"])).status_code == 404  # the old file is gone
    without = await ada.request(
        "PATCH", path, data=preset_form()
    )  # InvokeAI: no picture given is none from now on
    assert without.json()["image"] is None
    assert (await ada.get(f"{path}/image")).status_code == 404
    again = (await ada.request("PATCH", path, data=preset_form(), files=image_file(picture()))).json()
    await ada.request("DELETE", path)
    with pytest.raises(NotFound):
        await api.services.objects.head(again["image"].partition("?")[0].removeprefix("/images/"))


async def test_others_and_nobody(api: RunningApi, ada: Subject, bob: Subject) -> None:
    kept = await keep(ada, is_public=True)
    path = f"{PRESETS}/i/{kept['id']}"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("GET", {}),
        ("PATCH", {"data": preset_form()}),
        ("DELETE", {}),
    ]
    for method, options in calls:
        assert (await bob.request(method, path, **options)).status_code == 404
        assert (await api.nobody().request(method, path, **options)).status_code == 401
    assert await own(bob) == []
    assert kept["name"] not in (await bob.get(f"{PRESETS}/export")).text
    nobody = api.nobody()
    upload = {"file": ("p.json", b'[{"name": "n"}]', "application/json")}
    assert (await nobody.post(f"{PRESETS}/", data=preset_form())).status_code == 401
    assert (await nobody.post(f"{PRESETS}/import", files=upload)).status_code == 401
    assert (await nobody.get(f"{PRESETS}/export")).status_code == 401
    assert (await ada.get(path)).json() == kept


async def test_bad_forms_are_refused_by_field(ada: Subject) -> None:
    async def send(data: Any, files: Any = None) -> httpx.Response:
        return await ada.post(f"{PRESETS}/", data=data, files=files)

    bad: list[tuple[dict[str, Any], str]] = [
        ({"name": ""}, "body.data.name"),
        ({"name": None}, "body.data.name"),
        ({"name": "x" * 256}, "body.data.name"),
        ({"positive_prompt": 5}, "body.data.positive_prompt"),
        ({"negative_prompt": "x" * 20_001}, "body.data"),
        ({"type": "mine"}, "body.data.type"),
        ({"is_public": "perhaps"}, "body.data.is_public"),
        ({"name": "nul\0"}, "body.data"),
    ]
    for changes, place in bad:
        assert field(await send(preset_form(**changes))) == place, changes
    for data in ("", "{", "[]", "null", "[" * 20_000, '"\\ud800"', '{"name": "\\ud800"}'):
        assert field(await send({"data": data})).startswith("body.data"), data[:20]
    assert field(await send({})) == "body.data"
    assert (await send(preset_form(type="default"))).status_code == 403
    assert (await send(preset_form(), image_file(b"nothing"))).status_code == 415
    assert (await send(preset_form(), image_file(picture(), "text/plain"))).status_code == 415
    assert await own(ada) == []
    for preset_id in ("nowhere", "%00", str(uuid4())):
        assert (await ada.get(f"{PRESETS}/i/{preset_id}")).status_code == 404


async def _import(subject: Subject, data: bytes, content_type: str = "text/csv") -> httpx.Response:
    return await subject.post(f"{PRESETS}/import", files={"file": ("presets", data, content_type)})


async def test_csv_goes_in_and_comes_out(ada: Subject, bob: Subject) -> None:
    sheet = '\ufeffname,prompt,negative_prompt\r\n"b, with comma","two\nlines",\r\n a ,{prompt},ugly\r\n\r\n'
    done = await _import(ada, sheet.encode())
    assert (done.status_code, done.json()) == (200, None)
    exported = await ada.get(f"{PRESETS}/export")
    assert exported.headers["content-type"].startswith("text/csv")
    assert "prompt_templates.csv" in exported.headers["content-disposition"]
    assert list(csv.reader(io.StringIO(exported.text, newline=""))) == [
        ["name", "prompt", "negative_prompt"],
        ["a", "{prompt}", "ugly"],
        ["b, with comma", "two\nlines", ""],
    ]
    assert (await _import(bob, exported.content)).status_code == 200
    assert (await bob.get(f"{PRESETS}/export")).text == exported.text
    renamed = exported.text.replace("name,prompt,", "name,positive_prompt,")
    assert (await _import(bob, renamed.encode())).status_code == 200
    assert len(await own(bob)) == 4


async def test_json_goes_in(ada: Subject) -> None:
    rows = [{"name": "a", "prompt": "p", "negative_prompt": "n"}, {"name": "b", "positive_prompt": "q"}]
    assert (await _import(ada, orjson.dumps(rows), "application/json")).status_code == 200
    assert await own(ada) == ["a", "b"]
    assert (await _import(ada, b"[]", "application/json")).status_code == 200
    assert await own(ada) == ["a", "b"]


@pytest.mark.parametrize(
    ("data", "content_type", "place"),
    [
        (b"prompt\nx\n", "text/csv", "body.file.0.name"),
        (b"name,prompt,negative_prompt\n ,x,y\n", "text/csv", "body.file.0.name"),
        (b"name,prompt\na,b,c,d\n", "text/csv", "body.file.0.too many columns"),
        (b"name,colour\na,b\n", "text/csv", "body.file.0.colour"),
        (b"name\n" + b"a" * 200_000 + b"\n", "text/csv", "body.file"),
        (b"name\n\xff\n", "text/csv", "body.file"),
        (b"name\na\0\n", "text/csv", "body.file"),
        (b"name\n" + b"a\n" * 501, "text/csv", "body.file"),
        (b"", "application/json", "body.file"),
        (b"{}", "application/json", "body.file"),
        (b"[1]", "application/json", "body.file.0"),
        (b'[{"name": "a"}, {"name": 5}]', "application/json", "body.file.1.name"),
        (b'[{"name": "a", "colour": 1}]', "application/json", "body.file.0.colour"),
        (b'[{"name": "a\\u0000"}]', "application/json", "body.file"),
        (b"[" * 5000, "application/json", "body.file"),
    ],
)
async def test_bad_files_are_refused_whole(ada: Subject, data: bytes, content_type: str, place: str) -> None:
    assert field(await _import(ada, data, content_type)) == place
    assert await own(ada) == []


async def test_files_of_other_kinds_and_sizes(ada: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await _import(ada, b"name\na\n", "application/pdf")).status_code == 415
    assert field(await ada.post(f"{PRESETS}/import")) == "body.file"
    monkeypatch.setattr(files, "MAX_STORED_BYTES", 10)
    assert (await _import(ada, b"name\n" + b"a\n" * 10)).status_code == 413


async def test_how_much_a_person_keeps_is_limited(ada: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_PRESETS", 3)
    kept = await keep(ada)
    full = await _import(ada, b"name\na\nb\nc\n")
    assert (full.status_code, full.json()["code"]) == (409, "style_presets_full")
    assert await own(ada) == ["Mine"]  # all or none
    assert (await _import(ada, b"name\na\nb\n")).status_code == 200
    assert (await ada.post(f"{PRESETS}/", data=preset_form())).status_code == 409
    monkeypatch.setattr(service, "MAX_STORED_BYTES", 100)
    longer = await ada.request(
        "PATCH", f"{PRESETS}/i/{kept['id']}", data=preset_form(positive_prompt="ü" * 50)
    )
    assert longer.status_code == 409
    assert (await ada.request("PATCH", f"{PRESETS}/i/{kept['id']}", data=preset_form())).status_code == 200
