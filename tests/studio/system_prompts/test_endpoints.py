"""A person's system prompts."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from invokeai_saas.studio.system_prompts import service
from tests.apps import RunningApi, Subject
from tests.studio.things import field

PROMPTS = "/api/v1/system_prompts"


async def keep(subject: Subject, **changes: Any) -> dict[str, Any]:
    answer = await subject.post(f"{PROMPTS}/", json={"name": "Mine", "content": "Be brief.\n"} | changes)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def own(subject: Subject) -> list[str]:
    listed = (await subject.get(f"{PROMPTS}/")).json()
    assert [prompt["name"] for prompt in listed] == sorted(
        (prompt["name"] for prompt in listed), key=str.lower
    )
    return [prompt["name"] for prompt in listed if prompt["user_id"] == str(subject.user_id)]


async def test_a_prompt_is_kept_changed_and_deleted(ada: Subject) -> None:
    kept = await keep(ada)
    path = f"{PROMPTS}/i/{kept['id']}"
    assert (kept["name"], kept["content"], kept["is_public"]) == ("Mine", "Be brief.\n", False)
    assert (await ada.get(path)).json() == kept
    assert (await ada.request("PATCH", path, json={})).json() == kept
    changed = (await ada.request("PATCH", path, json={"content": "Be long.", "is_public": True})).json()
    assert changed["updated_at"] > kept["updated_at"]
    assert changed == kept | {
        "content": "Be long.", "is_public": True, "updated_at": changed["updated_at"],
    }  # fmt: skip
    await keep(ada, name="a before it")
    assert await own(ada) == ["a before it", "Mine"]
    gone = await ada.request("DELETE", path)
    assert (gone.status_code, gone.json()) == (200, None)
    assert (await ada.get(path)).status_code == (await ada.request("DELETE", path)).status_code == 404


async def test_others_and_nobody(api: RunningApi, ada: Subject, bob: Subject) -> None:
    kept = await keep(ada)
    path = f"{PROMPTS}/i/{kept['id']}"
    kept = (await ada.request("PATCH", path, json={"is_public": True})).json()
    for method, body in [("GET", None), ("PATCH", {"name": "n"}), ("PATCH", {}), ("DELETE", None)]:
        assert (await bob.request(method, path, json=body)).status_code == 404
        assert (await api.nobody().request(method, path, json=body)).status_code == 401
    assert await own(bob) == []
    assert kept["id"] not in (await bob.get(f"{PROMPTS}/")).text
    assert (await api.nobody().post(f"{PROMPTS}/", json={"name": "n", "content": "c"})).status_code == 401
    assert (await ada.get(path)).json() == kept


async def test_bad_input_names_the_field(ada: Subject) -> None:
    path = f"{PROMPTS}/i/{(await keep(ada))['id']}"
    bad: list[tuple[dict[str, Any], str]] = [
        ({"name": ""}, "body.name"),
        ({"name": 5}, "body.name"),
        ({"name": "x" * 256}, "body.name"),
        ({"name": "nul\0"}, "body.name"),
        ({"content": ""}, "body.content"),
        ({"content": "x" * 20_001}, "body.content"),
        ({"content": "nul\0"}, "body.content"),
        ({"id": str(uuid4())}, "body.id"),
    ]
    for changes, place in bad:
        body = {"name": "n", "content": "c"} | changes
        assert field(await ada.post(f"{PROMPTS}/", json=body)) == place, changes
        assert field(await ada.request("PATCH", path, json=changes)) == place, changes
    assert field(await ada.request("PATCH", path, json={"is_public": "perhaps"})) == "body.is_public"
    headers = {"content-type": "application/json"}
    half = await ada.post(f"{PROMPTS}/", content=b'{"name": "\\ud800", "content": "c"}', headers=headers)
    assert field(half) == "body.name"
    for prompt_id in ("nowhere", "%00", str(uuid4())):
        assert (await ada.get(f"{PROMPTS}/i/{prompt_id}")).status_code == 404
    assert await own(ada) == ["Mine"]


async def test_how_many_a_person_keeps_is_limited(ada: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_PROMPTS", 1)
    await keep(ada)
    full = await ada.post(f"{PROMPTS}/", json={"name": "n", "content": "c"})
    assert (full.status_code, full.json()["code"]) == (409, "system_prompts_full")
