"""Every route that takes an id, called with another person's: as if it did not exist.

A route with a parameter in its path that is not in the table below fails the suite until it is.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from fastapi.routing import APIRoute

from invokeai_saas.api import _routers
from tests.apps import RunningApi, Subject
from tests.factories import insert, make_download, make_image, make_video
from tests.graphs import add_model, batch_body, picture_graph, unknown_key
from tests.servers import TestDatabase
from tests.studio.things import image_file, picture, preset_form, workflow

MISSING = "404"  # exactly as for an id that nobody has
OWN = "own"  # the parameter names no person's thing: whatever it says, the caller's own is meant
ZERO = "zero"  # InvokeAI answers counts for unknown ids; another person's count nothing
STAFF = "403"  # nobody reaches it through this API
OTHER = "other"  # tested by itself, further down or elsewhere

ROUTES = {
    "/api/v1/auth/users/{user_id}": STAFF,
    "/api/v1/boards/{board_id}": MISSING,
    "/api/v1/boards/{board_id}/image_names": MISSING,
    "/api/v1/images/download/{bulk_download_item_name}": MISSING,
    "/api/v1/images/i/{image_name}": MISSING,
    "/api/v1/images/i/{image_name}/full": MISSING,
    "/api/v1/images/i/{image_name}/metadata": MISSING,
    "/api/v1/images/i/{image_name}/thumbnail": MISSING,
    "/api/v1/images/i/{image_name}/urls": MISSING,
    "/api/v1/images/i/{image_name}/workflow": MISSING,
    "/api/v1/model_relationships/i/{model_key}": MISSING,
    "/api/v1/queue/{queue_id}/b/{batch_id}/status": ZERO,
    "/api/v1/queue/{queue_id}/cancel_all_except_current": OWN,
    "/api/v1/queue/{queue_id}/cancel_by_batch_ids": OWN,
    "/api/v1/queue/{queue_id}/cancel_by_destination": OWN,
    "/api/v1/queue/{queue_id}/clear": OWN,
    "/api/v1/queue/{queue_id}/counts_by_destination": OWN,
    "/api/v1/queue/{queue_id}/current": OWN,
    "/api/v1/queue/{queue_id}/d/{destination}": ZERO,
    "/api/v1/queue/{queue_id}/delete_all_except_current": OWN,
    "/api/v1/queue/{queue_id}/enqueue_batch": OWN,
    "/api/v1/queue/{queue_id}/i/{item_id}": MISSING,
    "/api/v1/queue/{queue_id}/i/{item_id}/cancel": MISSING,
    "/api/v1/queue/{queue_id}/item_ids": OWN,
    "/api/v1/queue/{queue_id}/item_summaries_by_ids": OWN,
    "/api/v1/queue/{queue_id}/items_by_ids": OWN,
    "/api/v1/queue/{queue_id}/list_all": OWN,
    "/api/v1/queue/{queue_id}/next": OWN,
    "/api/v1/queue/{queue_id}/processor/pause": OWN,
    "/api/v1/queue/{queue_id}/processor/resume": OWN,
    "/api/v1/queue/{queue_id}/prune": OWN,
    "/api/v1/queue/{queue_id}/retry_items_by_id": OWN,
    "/api/v1/queue/{queue_id}/status": OWN,
    "/api/v1/videos/i/{video_name}": MISSING,
    "/api/v1/videos/i/{video_name}/full": MISSING,
    "/api/v1/videos/i/{video_name}/metadata": MISSING,
    "/api/v1/videos/i/{video_name}/thumbnail": MISSING,
    "/api/v1/videos/i/{video_name}/urls": MISSING,
    "/api/v1/videos/i/{video_name}/workflow": MISSING,
    "/api/v1/recall/{queue_id}": OWN,
    "/api/v1/style_presets/i/{style_preset_id}": MISSING,
    "/api/v1/style_presets/i/{style_preset_id}/image": MISSING,
    "/api/v1/system_prompts/i/{system_prompt_id}": MISSING,
    "/api/v1/virtual_boards/by_date/{date}/image_names": OTHER,  # below
    "/api/v1/virtual_boards/by_date/{date}/item_names": OTHER,
    "/api/v1/workflows/i/{workflow_id}": MISSING,
    "/api/v1/workflows/i/{workflow_id}/is_public": MISSING,
    "/api/v1/workflows/i/{workflow_id}/opened_at": MISSING,
    "/api/v1/workflows/i/{workflow_id}/thumbnail": MISSING,
    "/api/v2/models/convert/{key}": MISSING,
    "/api/v2/models/i/{key}": MISSING,
    "/api/v2/models/i/{key}/image": OTHER,  # tests/catalog/test_covers.py: shared models' need no log-in
    "/api/v2/models/i/{key}/reidentify": MISSING,
    "/api/v2/models/install/{id}": MISSING,
    "/api/v2/models/install/{id}/pause": MISSING,
    "/api/v2/models/install/{id}/restart_failed": MISSING,
    "/api/v2/models/install/{id}/restart_file": MISSING,
    "/api/v2/models/install/{id}/resume": MISSING,
    "/api/v1/utilities/fonts/{font_path:path}": OTHER,  # nobody's: there are none
    "/images/{key:path}": OTHER,  # signed, tests/storage
    "/portal/{name}": OTHER,  # static files
    "/api/{path:path}": OTHER,  # what is not served yet
    "/{path:path}": OTHER,  # InvokeAI's page
}
BODIES: dict[tuple[str, str], Any] = {
    ("PATCH", "/api/v1/boards/{board_id}"): {"board_name": "Mine now"},
    ("PATCH", "/api/v1/images/i/{image_name}"): {"starred": True},
    ("PATCH", "/api/v1/videos/i/{video_name}"): {"starred": True},
    ("PATCH", "/api/v1/system_prompts/i/{system_prompt_id}"): {"name": "Mine now"},
    ("PATCH", "/api/v1/workflows/i/{workflow_id}"): {"workflow": workflow()},
    ("PATCH", "/api/v1/workflows/i/{workflow_id}/is_public"): {"is_public": True},
    ("PATCH", "/api/v2/models/i/{key}"): {"name": "Mine now"},
    ("POST", "/api/v2/models/install/{id}/restart_file"): "https://huggingface.co/owner/name",
}
FORMS: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/api/v1/style_presets/i/{style_preset_id}"): {"data": preset_form()},
    ("PUT", "/api/v1/workflows/i/{workflow_id}/thumbnail"): {"files": image_file(picture())},
}


def _body(method: str, template: str) -> dict[str, Any]:
    """What a request to this route carries: a form, or JSON."""
    return FORMS.get((method, template)) or {"json": BODIES.get((method, template))}


def _routes() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for router in _routers():
        for route in router.routes:
            # Routers within routers (what the page keeps for a person) take no id of anybody's thing.
            if isinstance(route, APIRoute) and "{" in route.path:
                found.setdefault(route.path, set()).update(route.methods or ())
    return found


def test_every_route_with_a_parameter_has_an_expected_outcome() -> None:
    assert set(_routes()) == set(ROUTES)


class Belongings:
    """One thing of each kind that a route can name, all Ada's."""

    def __init__(self, ids: dict[str, str]) -> None:
        self.ids = ids

    def path(self, template: str, ids: dict[str, str]) -> str:
        return re.sub(r"\{(\w+)(?::path)?\}", lambda found: ids[found[1]], template)


def _allow_own_models(database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE user_subscriptions SET plan_id = (SELECT id FROM subscription_plans WHERE slug = 'enterprise')"
        )


async def _belongings(ada: Subject, database: TestDatabase) -> Belongings:
    assert ada.user_id is not None
    _allow_own_models(database)  # everybody so far: what keeps others away shall not be their plan
    key = unknown_key()
    theirs = add_model(database, ada.user_id, key=key, path=f"models/users/{ada.user_id}/m")
    body = batch_body(picture_graph(**theirs), destination="canvas-of-ada")
    queued = (await ada.post("/api/v1/queue/default/enqueue_batch", json=body)).json()
    board = (await ada.post("/api/v1/boards/", params={"board_name": "Ada's"})).json()["board_id"]
    with psycopg.connect(database.owner) as connection:
        image = make_image(connection, ada.user_id)
        archive = make_download(connection, ada.user_id)
        insert(connection, "board_images", user_id=ada.user_id, board_id=board, image_name=image)
        video = make_video(connection, ada.user_id)
    kept = (await ada.post("/api/v1/workflows/", json={"workflow": workflow()})).json()["workflow_id"]
    await ada.put(f"/api/v1/workflows/i/{kept}/thumbnail", files=image_file(picture()))
    form = {"data": preset_form(), "files": image_file(picture())}
    preset = (await ada.post("/api/v1/style_presets/", **form)).json()["id"]
    system_prompt = {"name": "Ada's", "content": "c"}
    install = await ada.post("/api/v2/models/install", params={"source": "owner/name"}, json={})
    return Belongings(
        {
            "id": str(install.json()["id"]),
            "queue_id": "default",
            "board_id": board,
            "image_name": image,
            "video_name": video,
            "item_id": str(queued["item_ids"][0]),
            "batch_id": queued["batch"]["batch_id"],
            "destination": "canvas-of-ada",
            "bulk_download_item_name": archive,
            "key": key,
            "model_key": key,
            "user_id": str(ada.user_id),
            "workflow_id": kept,
            "style_preset_id": preset,
            "system_prompt_id": (await ada.post("/api/v1/system_prompts/", json=system_prompt)).json()["id"],
        }
    )


NOBODYS = {
    "id": "123456789",
    "queue_id": "default",
    "board_id": "6f1a2c00-0000-4000-8000-000000000000",
    "image_name": "6f1a2c00-0000-4000-8000-000000000000.png",
    "video_name": "6f1a2c00-0000-4000-8000-000000000000.mp4",
    "item_id": "123456789",
    "batch_id": "6f1a2c00-0000-4000-8000-000000000000",
    "destination": "nowhere",
    "bulk_download_item_name": "6f1a2c00-0000-4000-8000-000000000000.zip",
    "key": "6f1a2c00-0000-4000-8000-000000000000",
    "model_key": "6f1a2c00-0000-4000-8000-000000000000",
    "user_id": "6f1a2c00-0000-4000-8000-000000000000",
    "workflow_id": "6f1a2c00-0000-4000-8000-000000000000",
    "style_preset_id": "6f1a2c00-0000-4000-8000-000000000000",
    "system_prompt_id": "6f1a2c00-0000-4000-8000-000000000000",
}


def _state(database: TestDatabase) -> list[Any]:
    """Everything of Ada's that somebody else might have touched."""
    with psycopg.connect(database.url()) as connection:
        return [
            connection.execute(query).fetchall()
            for query in (
                "SELECT image_name, starred, is_intermediate FROM images",
                "SELECT board_id, board_name, archived FROM boards",
                "SELECT * FROM board_images",
                "SELECT item_id, status, cancel_requested FROM session_queue",
                "SELECT user_id, key, value FROM client_state",
                "SELECT id, state, expires_at FROM bulk_downloads",
                "SELECT * FROM workflow_library",
                "SELECT * FROM style_presets",
                "SELECT * FROM system_prompts",
                "SELECT key, name, cover_key FROM models",
                "SELECT id, status FROM model_installs",
            )
        ]


@pytest.mark.timeout(240)
async def test_another_persons_ids_are_as_if_they_did_not_exist(
    api: RunningApi, database: TestDatabase
) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    adas = await _belongings(ada, database)
    before = _state(database)
    for template, methods in sorted(_routes().items()):
        expected = ROUTES[template]
        if expected not in (MISSING, ZERO, STAFF):
            continue
        for method in sorted(methods):
            body = _body(method, template)
            there = await bob.request(method, adas.path(template, adas.ids), **body)
            nowhere = await bob.request(method, adas.path(template, NOBODYS), **body)
            case = f"{method} {template}"
            status = {MISSING: 404, ZERO: 200, STAFF: 403}[expected]
            assert (there.status_code, nowhere.status_code) == (status, status), case
            plain = there.text
            for name in ("batch_id", "destination"):
                plain = plain.replace(adas.ids[name], NOBODYS[name])
            assert plain == nowhere.text, case
    assert _state(database) == before


@pytest.mark.timeout(240)
async def test_nobody_gets_401_on_every_route_with_an_id(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    adas = await _belongings(ada, database)
    before = _state(database)
    for template, methods in sorted(_routes().items()):
        if ROUTES[template] == OTHER:
            continue
        for method in sorted(methods):
            path = adas.path(template, adas.ids)
            answer = await api.nobody().request(method, path, **_body(method, template))
            assert answer.status_code == 401, f"{method} {template}"
    assert _state(database) == before


async def test_the_owner_reaches_what_others_do_not(api: RunningApi, database: TestDatabase) -> None:
    """The control: the same ids, asked by Ada, are there."""
    ada = await api.person("ada@example.com")
    adas = await _belongings(ada, database)
    for template, methods in sorted(_routes().items()):
        if (
            ROUTES[template] == MISSING
            and "GET" in methods
            and not template.endswith(("/full", "/thumbnail", "/image", "_item_name}"))  # no file is there
        ):
            answer = await ada.get(adas.path(template, adas.ids))
            assert answer.status_code == 200, template


async def test_lists_and_bodies_with_anothers_ids_change_nothing(
    api: RunningApi, database: TestDatabase
) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    adas = await _belongings(ada, database)
    image, board, item = adas.ids["image_name"], adas.ids["board_id"], int(adas.ids["item_id"])
    before = _state(database)
    names = {"image_names": [image]}
    assert (await bob.post("/api/v1/images/images_by_names", json=names)).json() == []
    for path in ("images/star", "images/unstar", "images/delete"):
        answer = await bob.post(f"/api/v1/{path}", json=names)
        assert answer.status_code in (200, 404), path
        assert image not in str({k: v for k, v in answer.json().items() if not k.startswith("failed")}), path
    for method, path, body in [
        ("POST", "images/download", names),
        ("POST", "images/download", {"board_id": board}),
        ("POST", "board_images/", {"board_id": board, "image_name": image}),
        ("POST", "board_images/batch", {"board_id": board, "image_names": [image]}),
        ("DELETE", "board_images/", {"image_name": image}),
        ("POST", "board_images/batch/delete", {"image_names": [image]}),
        ("PUT", "queue/default/retry_items_by_id", [item]),
        ("PUT", "queue/default/cancel_by_batch_ids", {"batch_ids": [adas.ids["batch_id"]]}),
        ("PUT", "queue/default/clear", None),
        ("PUT", "queue/default/prune", None),
        ("POST", "client_state/default/delete", None),
        ("DELETE", "images/uncategorized", None),
        ("POST", "videos/star", {"video_names": [adas.ids["video_name"]]}),
        ("POST", "videos/unstar", {"video_names": [adas.ids["video_name"]]}),
        ("POST", "videos/delete", {"video_names": [adas.ids["video_name"]]}),
        ("POST", "videos/board", {"board_id": board, "video_name": adas.ids["video_name"]}),
        ("DELETE", "videos/board", {"video_name": adas.ids["video_name"]}),
        ("DELETE", "videos/uncategorized", None),
        ("DELETE", "images/intermediates", None),
    ]:
        answer = await bob.request(method, f"/api/v1/{path}", json=body)
        assert answer.status_code < 500, path
    assert _state(database) == before
    for path in (
        "gallery/item_names",
        "images/names",
        "boards/?all=true",
        "images/?limit=10",
        "gallery/items/names",
        "videos/names",
        "videos/?limit=10",
        "workflows/",
        "style_presets/",
        "style_presets/export",
        "system_prompts/",
        "recall/default",
    ):
        answer = await bob.get(f"/api/v1/{path}")
        assert answer.status_code == 200, path
        assert image not in answer.text, path
        assert adas.ids["video_name"] not in answer.text, path
        assert board not in answer.text, path
        for kind in ("workflow_id", "style_preset_id", "system_prompt_id"):
            assert adas.ids[kind] not in answer.text, path
    assert adas.ids["key"] not in (await bob.get("/api/v2/models/")).text
    days = (await ada.get("/api/v1/virtual_boards/by_date")).json()
    day = days[0]["date"] if days else "2026-01-01"
    for kind in ("image_names", "item_names"):
        assert image not in (await bob.get(f"/api/v1/virtual_boards/by_date/{day}/{kind}")).text
