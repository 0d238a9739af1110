"""Settings that a program sends to its person's open pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from invokeai_saas.studio import service as studio
from invokeai_saas.studio.recall.schemas import LISTS, RecallParameters
from tests.apps import LiveApi, RunningApi, Subject
from tests.factories import insert, make_image
from tests.servers import TestDatabase
from tests.studio.sockets import listening, silence_after
from tests.studio.things import field

RECALL = "/api/v1/recall/default"


def add_model(database: TestDatabase, name: str, kind: str, owner: UUID | None = None) -> str:
    key = f"{kind}-{name}-{owner or 'shared'}"
    with psycopg.connect(database.owner) as connection:
        insert(
            connection, "models", key=key, user_id=owner, name=name, base="sd-1", type=kind, format="diffusers",
            path=f"models/{key}", hash="blake3:1", file_size=1, record={"key": key},
        )  # fmt: skip
    return key


def add_image(database: TestDatabase, subject: Subject, **changes: Any) -> str:
    assert subject.user_id is not None
    with psycopg.connect(database.owner) as connection:
        return make_image(connection, subject.user_id, **changes)


async def _parameters(subject: Subject, body: dict[str, Any], **asked: Any) -> dict[str, Any]:
    answer = await subject.post(RECALL, json=body, params=asked)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["queue_id"]) == ("success", "default")
    found: dict[str, Any] = answer.json()["parameters"]
    return found


async def test_settings_are_remembered_for_their_person(ada: Subject, bob: Subject) -> None:
    sent = {"positive_prompt": 'a "red" heart ü', "steps": 20, "cfg_scale": 7.5, "seamless_x": False}
    answer = (await ada.post(RECALL, json=sent)).json()
    assert answer == {"status": "success", "queue_id": "default", "updated_count": 4, "parameters": sent}
    assert (await ada.get(RECALL)).json()["parameters"] == sent
    assert (await ada.get("/api/v1/client_state/default/get_by_key?key=recall_steps")).json() == "20"
    await ada.post(RECALL, json={"steps": 30})
    assert (await ada.get(RECALL)).json()["parameters"] == sent | {"steps": 30}
    assert (await bob.get(RECALL)).json()["parameters"] == {}


async def test_nothing_given_changes_nothing(ada: Subject) -> None:
    answer = await ada.post(RECALL, json={"steps": None})
    assert answer.json() == {"status": "no_parameters_provided", "updated_count": 0}
    assert (await ada.get(RECALL)).json()["parameters"] == {}


async def test_strict_clears_what_is_not_given(ada: Subject) -> None:
    found = await _parameters(ada, {"steps": 5}, strict=True)
    assert set(found) == set(RecallParameters.model_fields)
    assert found["steps"] == 5
    assert all(found[name] == [] for name in LISTS)
    assert found["model"] is found["seed"] is None
    assert (
        field(await ada.post(RECALL, json={"steps": 5}, params={"strict": True, "append": True}))
        == "body.append"
    )


async def test_models_are_found_among_those_the_person_sees(
    ada: Subject, bob: Subject, database: TestDatabase
) -> None:
    main = add_model(database, "Dream", "main")
    lora = add_model(database, "Detail", "lora")
    adapter = add_model(database, "Canny", "t2i_adapter")
    redux = add_model(database, "Redux", "flux_redux")
    add_model(database, "Secret", "lora", bob.user_id)
    body = {
        "model": "Dream",
        "loras": [{"model_name": "Detail", "weight": 0.5}, {"model_name": "Secret"}, {"model_name": "Dream"}],
        "control_layers": [
            {"model_name": "Canny", "begin_step_percent": 0.1, "control_mode": "balanced"},
            {"model_name": "Detail"},  # a control LoRA is a LoRA
        ],
        "ip_adapters": [{"model_name": "Redux", "image_influence": "high"}, {"model_name": "Canny"}],
    }
    found = await _parameters(ada, body)
    assert found == {
        "model": main,
        "loras": [{"model_key": lora, "weight": 0.5, "is_enabled": True}],
        "control_layers": [
            {"model_key": adapter, "weight": 1.0, "begin_step_percent": 0.1, "control_mode": "balanced"},
            {"model_key": lora, "weight": 1.0},
        ],
        "ip_adapters": [{"model_key": redux, "weight": 1.0, "image_influence": "high"}],
    }
    assert "model" not in await _parameters(ada, {"model": "Detail", "steps": 1})  # no main model
    assert (await _parameters(bob, {"loras": [{"model_name": "Secret"}]}))["loras"]


async def test_pictures_must_be_ones_own(ada: Subject, bob: Subject, database: TestDatabase) -> None:
    add_model(database, "Canny", "controlnet")
    mine = add_image(database, ada, width=640, height=512)
    theirs = add_image(database, bob)
    found = await _parameters(
        ada,
        {
            "control_layers": [{"model_name": "Canny", "image_name": mine}],
            "reference_images": [{"image_name": mine}],
        },
    )
    shown = {"image_name": mine, "width": 640, "height": 512}
    assert found["control_layers"] == [
        {"model_key": found["control_layers"][0]["model_key"], "weight": 1.0, "image": shown}
    ]
    assert found["reference_images"] == [{"image": shown}]
    for name in (theirs, "nowhere.png", ""):
        for body in (
            {"control_layers": [{"model_name": "Canny", "image_name": name}]},
            {"ip_adapters": [{"model_name": "no such", "image_name": name}]},
            {"reference_images": [{"image_name": mine}, {"image_name": name}]},
        ):
            refused = await ada.post(RECALL, json={"seed": 1, **body})
            assert refused.status_code == 404, (name, body)
            assert theirs not in refused.text
    assert "seed" not in (await ada.get(RECALL)).json()["parameters"]


async def test_bad_settings_are_refused_by_field(ada: Subject) -> None:
    for body, place in [
        ({"steps": 0}, "body.steps"),
        ({"steps": 2**63}, "body.steps"),
        ({"steps": "many"}, "body.steps"),
        ({"seed": -1}, "body.seed"),
        ({"width": 63}, "body.width"),
        ({"denoise_strength": 1.5}, "body.denoise_strength"),
        ({"positive_prompt": "nul\0"}, "body.positive_prompt"),
        ({"positive_prompt": "x" * 20_001}, "body.positive_prompt"),
        ({"scheduler": 5}, "body.scheduler"),
        ({"loras": [{"weight": 1}]}, "body.loras.0.model_name"),
        ({"loras": [{"model_name": "a", "weight": 11}]}, "body.loras.0.weight"),
        ({"loras": [{"model_name": "a"}] * 101}, "body.loras"),
        (
            {"control_layers": [{"model_name": "a", "control_mode": "x"}]},
            "body.control_layers.0.control_mode",
        ),
        ({"ip_adapters": [{"model_name": "a", "method": "x"}]}, "body.ip_adapters.0.method"),
        ({"reference_images": [{}]}, "body.reference_images.0.image_name"),
        ({"colour": 1}, "body.colour"),
    ]:
        assert field(await ada.post(RECALL, json=body)) == place, place
    headers = {"content-type": "application/json"}
    for content in (b'{"cfg_scale": NaN}', b'{"cfg_scale": 1e999}'):
        assert field(await ada.post(RECALL, content=content, headers=headers)) == "body.cfg_scale"
    half = await ada.post(RECALL, content=b'{"scheduler": "\\ud800"}', headers=headers)
    assert field(half) == "body.scheduler"
    assert (await ada.get(RECALL)).json()["parameters"] == {}


async def test_it_counts_as_state_of_the_page(ada: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "MAX_KEYS", 2)
    full = await ada.post(RECALL, json={"steps": 1, "seed": 1, "width": 64})
    assert (full.status_code, full.json()["code"]) == (409, "client_state_full")
    assert (await ada.get(RECALL)).json()["parameters"] == {}
    for _ in range(2):
        assert (await ada.post(RECALL, json={"steps": 1, "seed": 1})).status_code == 200
    # A program may write what it likes under these keys.
    await ada.post("/api/v1/client_state/default/set_by_key?key=recall_steps", content=b"no JSON")
    assert (await ada.get(RECALL)).json()["parameters"] == {"seed": 1}


async def test_nobody(api: RunningApi) -> None:
    assert (await api.nobody().get(RECALL)).status_code == 401
    assert (await api.nobody().post(RECALL, json={"steps": 1})).status_code == 401


async def test_open_pages_hear_it_and_others_do_not(live_api: LiveApi, database: TestDatabase) -> None:
    main = add_model(database, "Dream", "main")
    ada, bob = await live_api.person("ada@example.com"), await live_api.person("bob@example.com")
    async with listening(live_api, ada) as heard, listening(live_api, bob) as bobs:
        await ada.post("/api/v1/recall/whatever?append=true", json={"model": "Dream", "seed": 7})
        assert (await ada.post(RECALL, json={"steps": 0})).status_code == 422
        ((event, payload),) = await silence_after(live_api, ada, heard)
        assert await silence_after(live_api, bob, bobs) == []
    assert event == "recall_parameters_updated"
    assert isinstance(payload.pop("timestamp"), int)
    assert payload == {
        "queue_id": "default",
        "user_id": str(ada.user_id),
        "parameters": {"model": main, "seed": 7, "append": True},
    }
    assert "append" not in (await ada.get(RECALL)).json()["parameters"]
