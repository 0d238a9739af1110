"""What InvokeAI ships: the same for everybody, changed by nobody, and no row of anybody's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from invokeai_saas.errors import NotFound
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import open_object_store
from invokeai_saas.studio.shipped import CATALOG, PICTURES, Shipped, publish_pictures
from tests.apps import RunningApi, Subject, running_api
from tests.servers import TestDatabase
from tests.studio.things import image_file, opened, picture, workflow

WORKFLOWS, PRESETS, PROMPTS = "/api/v1/workflows", "/api/v1/style_presets", "/api/v1/system_prompts"


async def _json(subject: Subject, path: str) -> Any:
    answer = await subject.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_two_people_see_the_same_and_it_is_no_row_of_theirs(
    ada: Subject, bob: Subject, shipped: Shipped, database: TestDatabase
) -> None:
    for subject in (ada, bob):
        listed = await _json(subject, f"{WORKFLOWS}/?categories=default")
        assert [item["workflow_id"] for item in listed["items"]] == [
            found.id
            for found in sorted(shipped.workflows.values(), key=lambda found: found.workflow["name"].lower())
        ]
        assert listed["total"] == len(shipped.workflows) >= 20
        assert {(item["user_id"], item["category"], item["is_public"]) for item in listed["items"]} == {
            ("system", "default", False)
        }
        presets = await _json(subject, f"{PRESETS}/")
        assert {preset["id"] for preset in presets} == set(shipped.presets)
        assert {(preset["type"], preset["user_id"]) for preset in presets} == {("default", "system")}
        prompts = await _json(subject, f"{PROMPTS}/")
        assert {prompt["id"] for prompt in prompts} == set(shipped.prompts)
        assert {(prompt["is_public"], prompt["user_id"]) for prompt in prompts} == {(True, "system")}
    counts = await _json(ada, f"{WORKFLOWS}/counts_by_category?categories=user&categories=default")
    assert counts == {"user": 0, "default": len(shipped.workflows)}
    with psycopg.connect(database.url()) as connection:
        for table in ("workflow_library", "style_presets", "system_prompts", "workflow_opened"):
            count = connection.execute(
                psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier(table))
            )
            assert count.fetchone() == (0,)


async def test_each_can_be_read(ada: Subject, shipped: Shipped) -> None:
    for found in shipped.workflows.values():
        record = await _json(ada, f"{WORKFLOWS}/i/{found.id}")
        assert record["workflow"] == found.workflow
        assert record["workflow_id"] == record["workflow"]["id"]
    for preset in shipped.presets.values():
        assert (await _json(ada, f"{PRESETS}/i/{preset.id}"))["preset_data"] == {
            "positive_prompt": preset.positive_prompt,
            "negative_prompt": preset.negative_prompt,
        }
    for prompt in shipped.prompts.values():
        assert (await _json(ada, f"{PROMPTS}/i/{prompt.id}"))["content"] == prompt.content


async def test_they_stand_among_ones_own(ada: Subject, shipped: Shipped) -> None:
    await ada.post(
        f"{WORKFLOWS}/", json={"workflow": workflow(name="Text to Image - My SD1.5", tags="sd1.5")}
    )
    everything = await _json(ada, f"{WORKFLOWS}/?per_page=5&page=1&query=sd1.5")
    assert everything["total"] == 1 + sum(
        "sd1.5" in str([found.workflow[part] for part in ("name", "description", "tags")]).lower()
        for found in shipped.workflows.values()
    )
    lists = [
        (await _json(ada, f"{WORKFLOWS}/?per_page=5&page={page}&query=sd1.5"))["items"] for page in range(3)
    ]
    names = [item["name"] for items in lists for item in items]
    assert names == sorted(names, key=str.lower)
    assert "Text to Image - My SD1.5" in names
    assert {"sd1.5", "shared"} & set(await _json(ada, f"{WORKFLOWS}/tags")) == {"sd1.5"}


async def test_opening_one_is_noted_for_oneself(ada: Subject, bob: Subject, shipped: Shipped) -> None:
    first = next(iter(shipped.workflows))
    for _ in range(2):
        assert (await ada.put(f"{WORKFLOWS}/i/{first}/opened_at")).json() is None
    recent = await _json(ada, f"{WORKFLOWS}/?has_been_opened=true&categories=user&categories=default")
    assert [item["workflow_id"] for item in recent["items"]] == [first]
    assert (await _json(ada, f"{WORKFLOWS}/i/{first}"))["opened_at"] == recent["items"][0]["opened_at"]
    assert (await _json(bob, f"{WORKFLOWS}/?has_been_opened=true"))["items"] == []
    assert (await _json(bob, f"{WORKFLOWS}/i/{first}"))["opened_at"] is None


async def test_nobody_changes_them(ada: Subject, shipped: Shipped) -> None:
    first, preset, prompt = (
        next(iter(part)) for part in (shipped.workflows, shipped.presets, shipped.prompts)
    )
    changed = {"workflow": workflow(id=first)}
    form = {"data": '{"name": "n", "positive_prompt": "", "negative_prompt": "", "type": "user"}'}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", f"{WORKFLOWS}/i/{first}", {"json": changed}),
        ("DELETE", f"{WORKFLOWS}/i/{first}", {}),
        ("PATCH", f"{WORKFLOWS}/i/{first}/is_public", {"json": {"is_public": True}}),
        ("PUT", f"{WORKFLOWS}/i/{first}/thumbnail", {"files": image_file(picture())}),
        ("DELETE", f"{WORKFLOWS}/i/{first}/thumbnail", {}),
        ("PATCH", f"{PRESETS}/i/{preset}", {"data": form}),
        ("DELETE", f"{PRESETS}/i/{preset}", {}),
        ("PATCH", f"{PROMPTS}/i/{prompt}", {"json": {"name": "n"}}),
        ("DELETE", f"{PROMPTS}/i/{prompt}", {}),
    ]
    for method, path, options in calls:
        refused = await ada.request(method, path, **options)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), path
    assert (await _json(ada, f"{WORKFLOWS}/i/{first}"))["workflow"] == shipped.workflows[first].workflow
    assert (await _json(ada, f"{PRESETS}/i/{preset}"))["name"] == shipped.presets[preset].name
    assert (await _json(ada, f"{PROMPTS}/i/{prompt}"))["name"] == shipped.prompts[prompt].name


async def test_their_pictures_are_shown(api: RunningApi, ada: Subject, shipped: Shipped) -> None:
    presets = await _json(ada, f"{PRESETS}/")
    assert all(preset["image"].startswith("/images/system/style_presets/") for preset in presets)
    shown = await api.nobody().get(presets[0]["image"])  # as an <img> asks
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
    assert opened(shown.content).format == "PNG"
    by_id = await ada.get(f"{PRESETS}/i/{presets[0]['id']}/image")
    assert by_id.content == shown.content
    known = await ada.get(
        f"{PRESETS}/i/{presets[0]['id']}/image", headers={"if-none-match": by_id.headers["etag"]}
    )
    assert known.status_code == 304
    assert (await api.nobody().get(f"{PRESETS}/i/{presets[0]['id']}/image")).status_code == 401


def _export(folder: Path, digest: str = "d.png") -> Path:
    (folder / PICTURES).mkdir(parents=True)
    (folder / PICTURES / digest).write_bytes(picture())
    meta = {"category": "default", "version": "4.0.0"}
    catalog = {
        "exported_at": "2026-01-02T03:04:05+00:00",
        "workflows": [{"workflow": workflow(id="default_a", meta=meta), "picture": digest}],
        "style_presets": [],
        "system_prompts": [],
    }
    (folder / CATALOG).write_bytes(orjson.dumps(catalog))
    return folder


async def test_a_shipped_workflow_may_have_a_thumbnail(settings: Settings, tmp_path: Path) -> None:
    there = settings.model_copy(update={"library_dir": _export(tmp_path / "library")})
    async with running_api(there) as api:
        await publish_pictures(api.services.shipped, api.services.objects)
        ada = await api.person("ada@example.com")
        (item,) = (await _json(ada, f"{WORKFLOWS}/"))["items"]
        assert item["created_at"] == item["updated_at"] == "2026-01-02T03:04:05Z"
        assert item["thumbnail_url"].startswith("/images/system/default_workflows/d.png?")
        by_path = await api.nobody().get(item["thumbnail_url"])
        by_id = await ada.get(f"{WORKFLOWS}/i/default_a/thumbnail")
        assert by_path.content == by_id.content == picture()


async def test_publishing_again_puts_nothing(settings: Settings, tmp_path: Path) -> None:
    objects = open_object_store(settings)
    shipped = Shipped(_export(tmp_path / "library", f"{tmp_path.name}.png"))
    with pytest.raises(NotFound):
        await objects.head(next(iter(shipped.pictures())))
    assert [await publish_pictures(shipped, objects) for _ in range(2)] == [1, 0]


async def test_without_the_export_the_rest_goes_on(settings: Settings, tmp_path: Path) -> None:
    async with running_api(settings.model_copy(update={"library_dir": tmp_path / "nowhere"})) as api:
        ada = await api.person("ada@example.com")
        assert (await _json(ada, f"{PRESETS}/"), await _json(ada, f"{PROMPTS}/")) == ([], [])
        kept = await ada.post(f"{WORKFLOWS}/", json={"workflow": workflow()})
        assert kept.status_code == 200
        assert (await _json(ada, f"{WORKFLOWS}/"))["total"] == 1
