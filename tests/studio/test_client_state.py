"""What the page keeps for a person between visits."""

from __future__ import annotations

from typing import Any

import orjson
import psycopg
import pytest

from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.settings import MEBIBYTE
from invokeai_saas.studio import service
from tests.apps import RunningApi, Subject
from tests.factories import insert
from tests.servers import TestDatabase

STATE = "/api/v1/client_state/default"


@pytest.fixture
async def ada(api: RunningApi) -> Subject:
    return await api.person("ada@example.com")


async def _set(subject: Subject, key: str, value: str | bytes) -> int:
    headers = {"content-type": "text/plain;charset=UTF-8"}
    answer = await subject.post(f"{STATE}/set_by_key", params={"key": key}, content=value, headers=headers)
    return answer.status_code


async def _get(subject: Subject, key: str) -> Any:
    answer = await subject.get(f"{STATE}/get_by_key", params={"key": key})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_value_comes_back_as_it_went(ada: Subject) -> None:
    assert await _get(ada, "ui") is None
    text = '{"a": [1, "ü\\u0000"]}\n'
    answer = await ada.post(f"{STATE}/set_by_key?key=ui", content=text)
    assert answer.json() == text
    assert await _get(ada, "ui") == text
    assert await _set(ada, "ui", "") == 200
    assert await _get(ada, "ui") == ""


async def test_clients_of_the_api_send_a_json_string(ada: Subject) -> None:
    """As InvokeAI's document says; its page sends plain text."""
    path = f"{STATE}/set_by_key?key=ui"
    assert (await ada.post(path, json='{"a": 1}')).json() == '{"a": 1}'
    assert await _get(ada, "ui") == '{"a": 1}'
    json_type = {"content-type": "application/json; charset=utf-8"}
    for body in (b"5", b'{"a": 1}', b"", b"{", b'"\\ud800"', b'"\\u0000"'):
        refused = await ada.post(path, content=body, headers=json_type)
        assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "value"]), body
    assert await _get(ada, "ui") == '{"a": 1}'


async def test_keys_by_prefix_and_forgetting(ada: Subject) -> None:
    for key in ("canvas_snapshot:b", "canvas_snapshot:a", "canvasXsnapshot:c", "ui"):
        await _set(ada, key, "1")

    async def keys(prefix: str) -> Any:
        return (await ada.get(f"{STATE}/get_keys_by_prefix", params={"prefix": prefix})).json()

    assert await keys("canvas_snapshot:") == ["canvas_snapshot:a", "canvas_snapshot:b"]
    assert (await ada.post(f"{STATE}/delete_by_key?key=canvas_snapshot:a")).status_code == 200
    assert await keys("canvas_snapshot:") == ["canvas_snapshot:b"]
    assert (await ada.post(f"{STATE}/delete")).status_code == 200
    assert await keys("") == []


async def test_state_is_its_persons_alone(api: RunningApi, ada: Subject) -> None:
    bob = await api.person("bob@example.com")
    await _set(ada, "ui", "ada's")
    assert await _get(bob, "ui") is None
    await _set(bob, "ui", "bob's")
    await bob.post(f"{STATE}/delete")
    assert await _get(ada, "ui") == "ada's"
    nobody = api.nobody()
    assert (await nobody.get(f"{STATE}/get_by_key?key=ui")).status_code == 401
    assert await _set(nobody, "ui", "x") == 401
    for call in ("delete", "delete_by_key?key=ui"):
        assert (await nobody.post(f"{STATE}/{call}")).status_code == 401


async def test_bad_input_names_the_field(ada: Subject) -> None:
    for path, options, field in [
        ("get_by_key", {}, "key"),
        ("get_by_key", {"params": {"key": ""}}, "key"),
        ("get_by_key", {"params": {"key": "k" * 256}}, "key"),
        ("get_by_key", {"params": {"key": "nul\0"}}, "key"),
        ("get_keys_by_prefix", {"params": {"prefix": "\0"}}, "prefix"),
    ]:
        answer = await ada.get(f"{STATE}/{path}", **options)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][-1] == field
    for value in (b"\xff", b"a\0b"):
        answer = await ada.post(f"{STATE}/set_by_key?key=ui", content=value)
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "value"])


async def test_sizes_are_limited(ada: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _set(ada, "big", b"x" * service.MAX_VALUE_BYTES) == 200
    assert await _set(ada, "big", b"x" * (service.MAX_VALUE_BYTES + 1)) == 413
    assert len(await _get(ada, "big")) == 2 * MEBIBYTE
    monkeypatch.setattr(service, "MAX_KEYS", 3)
    assert [await _set(ada, key, "1") for key in ("a", "b", "c")] == [200, 200, 409]
    assert await _set(ada, "a", "2") == 200  # what is there may change
    monkeypatch.setattr(service, "MAX_STORED_BYTES", 1000)
    assert await _set(ada, "a", "3") == 409  # "big" alone is stored in more than that
    assert await _set(ada, "big", "small") == 200
    assert await _set(ada, "a", "3") == 200
    assert await _get(ada, "a") == "3"


def _model(database: TestDatabase, name: str, **settings: Any) -> None:
    record = {
        "key": f"key-{name}", "hash": "blake3:1", "name": name, "base": "sd-1", "type": "main",
        "default_settings": settings or None,
    }  # fmt: skip
    with psycopg.connect(database.owner) as connection:
        insert(
            connection, "models", key=f"key-{name}", name=name, base="sd-1", type="main", format="diffusers",
            path=f"models/shared/{name}", hash="blake3:1", file_size=1, record=record,
        )  # fmt: skip


async def test_who_is_new_starts_with_the_first_models_settings(ada: Subject, database: TestDatabase) -> None:
    assert orjson.loads(await _get(ada, "params"))["model"] is None  # there is none
    _model(database, "b")
    _model(database, "a", width=256, height=192, steps=20, cfg_scale=6.0, scheduler="dpmpp_2m", vae=None)
    params = orjson.loads(await _get(ada, "params"))
    assert params["_version"] == 5
    assert params["model"] == {
        "key": "key-a",
        "hash": "blake3:1",
        "name": "a",
        "base": "sd-1",
        "type": "main",
    }
    assert (params["steps"], params["cfgScale"], params["scheduler"]) == (20, 6.0, "dpmpp_2m")
    assert (params["dimensions"]["width"], params["dimensions"]["height"]) == (256, 192)
    assert params["dimensions"]["aspectRatio"] == {"id": "Free", "value": 256 / 192, "isLocked": False}
    await _set(ada, "params", "own")
    assert await _get(ada, "params") == "own"


async def test_who_is_new_starts_with_a_canvas_of_the_first_models_size(
    ada: Subject, database: TestDatabase
) -> None:
    assert (await _get(ada, "canvas")) is None  # there is none
    _model(database, "a", width=256, height=256)
    canvas = orjson.loads(await _get(ada, "canvas"))
    assert canvas["bbox"] == {
        "rect": {"x": 0, "y": 0, "width": 256, "height": 256},
        "aspectRatio": {"id": "1:1", "value": 1.0, "isLocked": False},
        "scaleMethod": "none",  # the page would scale it to 512 and draw that
        "scaledSize": {"width": 256, "height": 256},
        "modelBase": "sd-1",
    }
    _model(database, "A", width=512, height=512)  # comes before it
    box = orjson.loads(await _get(ada, "canvas"))["bbox"]
    assert (box["rect"]["width"], box["scaleMethod"]) == (512, "auto")
    await _set(ada, "canvas", "own")
    assert await _get(ada, "canvas") == "own"


async def test_a_model_without_settings_leaves_the_pages_own(ada: Subject, database: TestDatabase) -> None:
    _model(database, "a")
    assert (await _get(ada, "canvas")) is None
    params = orjson.loads(await _get(ada, "params"))
    assert (params["model"], params["steps"], params["dimensions"]["width"]) == (None, 30, 512)


async def test_who_is_new_starts_with_an_infill_that_workers_have(api: RunningApi, ada: Subject) -> None:
    """The page's own is LaMa: the first outpainting on its canvas would be refused."""
    method = orjson.loads(await _get(ada, "params"))["infillMethod"]
    nodes = NodeCatalog(api.settings.node_schemas)
    assert f"infill_{method}" in nodes.allowed
    assert "infill_lama" in nodes.denied
