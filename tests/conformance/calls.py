"""What is sent to each of InvokeAI's operations: one readable table, for whatever is served today or tomorrow.

Parameters in paths fill themselves: `scene.py` makes a thing of the kind that the parameter names. This table adds what
else an operation needs. An operation that is not in it gets no query and no body.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from tests.conformance.nearby import REPOSITORY

if TYPE_CHECKING:
    from tests.conformance.scene import Scene

File = tuple[str, bytes, str]  # name, contents, media type
Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """A request without its method and path.

    Parameters:
        query: by name; a list is sent as a parameter that repeats.
        json: body, if it is JSON.
        form, files: body, if it is a form.
    """

    query: Fields = field(default_factory=dict)
    json: Any = None
    form: Fields | None = None
    files: Mapping[str, File] | None = None

    def options(self) -> dict[str, Any]:
        """As httpx wants it."""
        given = {"params": self.query, "json": self.json, "data": self.form, "files": self.files}
        return {name: value for name, value in given.items() if value}


Build = Callable[["Scene"], Awaitable[Call]]


def fixed(call: Call) -> Build:
    """The same call whatever there is."""

    async def build(scene: Scene) -> Call:
        return call

    return build


def query(**values: Any) -> Build:
    return fixed(Call(query=values))


def body(**values: Any) -> Build:
    return fixed(Call(json=values))


def naming(**kinds: str | list[str]) -> Build:
    """A JSON body whose fields name things of the scene: `board_id="board_id"`, `image_names=["image_name"]`."""

    async def build(scene: Scene) -> Call:
        values: dict[str, Any] = {}
        for name, kind in kinds.items():
            many = isinstance(kind, list)
            thing = await scene.thing(kind[0] if isinstance(kind, list) else kind)
            values[name] = [thing] if many else thing
        return Call(json=values)

    return build


def png(side: int = 64) -> File:
    data = BytesIO()
    Image.new("RGB", (side, side), "red").save(data, "PNG")
    return ("heart.png", data.getvalue(), "image/png")


def mp4() -> File:
    """A second of red, 64 by 48, as browsers play it."""
    return ("second.mp4", Path(__file__).with_name("second.mp4").read_bytes(), "video/mp4")


def data_url() -> str:
    return "data:image/png;base64," + base64.b64encode(png()[1]).decode()


WORKFLOW: dict[str, Any] = {
    "name": "Two hearts", "author": "", "description": "", "version": "", "contact": "", "tags": "hearts, red",
    "notes": "", "exposedFields": [], "meta": {"version": "3.0.0", "category": "user"}, "nodes": [], "edges": [],
    "form": None,
}  # fmt: skip
PRESET = {"name": "Red", "positive_prompt": "{prompt}, red", "negative_prompt": "", "type": "user"}
PROMPT = {"name": "Helper", "content": "Write a prompt."}


async def _workflow_change(scene: Scene) -> Call:
    return Call(json={"workflow": WORKFLOW | {"id": scene.made["workflow_id"], "name": "Renamed"}})


async def _with_cover(scene: Scene) -> Call:
    path = f"/api/v2/models/i/{scene.made['key']}/image"
    (await scene.owner.request("PATCH", path, files={"image": png()})).raise_for_status()
    return Call()


async def _with_files(scene: Scene) -> Call:
    await scene.store_lora(scene.made["key"])
    return Call()


async def _with_checkpoint(scene: Scene) -> Call:
    await scene.store_checkpoint(scene.made["key"])
    return Call()


async def _keys_with_files(scene: Scene) -> Call:
    key = await scene.thing("key")
    await scene.store_lora(key)
    return Call(json={"keys": [key]})


async def _with_thumbnail(scene: Scene) -> Call:
    path = f"/api/v1/workflows/i/{scene.made['workflow_id']}/thumbnail"
    (await scene.owner.request("PUT", path, files={"image": png()})).raise_for_status()
    return Call()


async def _by_hash(scene: Scene) -> Call:
    return Call(query={"hash": (await scene.model())["hash"]})


async def _by_attributes(scene: Scene) -> Call:
    model = await scene.model()
    return Call(query={name: model[name] for name in ("name", "type", "base")})


async def _two_models(scene: Scene) -> Call:
    return Call(json={"model_key_1": await scene.thing("key"), "model_key_2": await scene.thing("other_key")})


async def _linked_models(scene: Scene) -> Call:
    call = await _two_models(scene)
    await scene.owner.post("/api/v1/model_relationships/", json=call.json)
    return call


async def _batch(scene: Scene) -> Call:
    changes = {"runs": 2, "destination": "canvas", "origin": "workflows", "workflow": WORKFLOW}
    return Call(json=await scene.batch(**changes))


async def _canceled(scene: Scene) -> Call:
    return Call(json=[int(await scene.canceled_item())])


async def _item_ids(scene: Scene) -> Call:
    return Call(json={"item_ids": [int(await scene.thing("item_id"))]})


async def _login(scene: Scene) -> Call:
    return Call(json={"email": scene.email, "password": scene.password, "remember_me": True})


async def _install_source(scene: Scene) -> Call:
    return Call(query={"source": REPOSITORY}, json={"name": "Mine"})


_LIST = {
    "categories": ["general", "user"], "is_intermediate": False, "board_id": "none", "order_dir": "ASC",
    "starred_first": False, "search_term": "",
}  # fmt: skip
_PAGE = _LIST | {"offset": 0, "limit": 5}
_UPLOAD = {"image_category": "user", "is_intermediate": False, "crop_visible": False}
_NAMES = {"categories": ["general"], "order_dir": "ASC", "starred_first": True, "search_term": ""}
_FORM = Call(form={"data": json.dumps(PRESET)}, files={"image": png()})

CALLS: dict[str, Build] = {
    # authentication
    "POST /api/v1/auth/login": _login,
    "PATCH /api/v1/auth/me": body(display_name="Ada L."),
    "POST /api/v1/auth/setup": body(
        email="root@example.com", password="Correct-horse-7", display_name="Root"
    ),
    "POST /api/v1/auth/users": body(email="new@example.com", password="Correct-horse-7", is_admin=False),
    "PATCH /api/v1/auth/users/{user_id}": body(display_name="Renamed"),
    # app
    "PATCH /api/v1/app/runtime_config": body(max_queue_history=10),
    "POST /api/v1/app/logging": fixed(Call(json=20)),
    "POST /api/v1/app/external_providers/config/{provider_id}": body(api_key="key"),
    # boards
    "GET /api/v1/boards/": query(all=True, order_by="board_name", direction="ASC", include_archived=True),
    "POST /api/v1/boards/": query(board_name="Hearts"),
    "PATCH /api/v1/boards/{board_id}": body(board_name="Renamed", archived=True),
    "DELETE /api/v1/boards/{board_id}": query(include_images=True),
    "GET /api/v1/boards/{board_id}/image_names": query(categories=["general"], is_intermediate=False),
    "POST /api/v1/board_images/": naming(board_id="board_id", image_name="image_name"),
    "DELETE /api/v1/board_images/": naming(image_name="image_name"),
    "POST /api/v1/board_images/batch": naming(board_id="board_id", image_names=["image_name"]),
    "POST /api/v1/board_images/batch/delete": naming(image_names=["image_name"]),
    # client_state
    "GET /api/v1/client_state/{queue_id}/get_by_key": query(key="state"),
    "POST /api/v1/client_state/{queue_id}/set_by_key": fixed(Call(query={"key": "state"}, json='{"a":1}')),
    "GET /api/v1/client_state/{queue_id}/get_keys_by_prefix": query(prefix="sta"),
    "POST /api/v1/client_state/{queue_id}/delete_by_key": query(key="state"),
    # custom_nodes
    "POST /api/v2/custom_nodes/install": body(source="https://example.com/pack.git"),
    # gallery
    "GET /api/v1/gallery/item_names": query(**_LIST, created_date="2026-01-01"),
    "GET /api/v1/gallery/items/": query(**_PAGE),
    "GET /api/v1/gallery/items/names": query(**_LIST),
    "GET /api/v1/virtual_boards/by_date/{date}/image_names": query(**_NAMES),
    "GET /api/v1/virtual_boards/by_date/{date}/item_names": query(**_NAMES),
    # images
    "GET /api/v1/images/": query(**_PAGE, image_origin="internal"),
    "POST /api/v1/images/": body(width=64, height=64),
    "POST /api/v1/images/delete": naming(image_names=["image_name"]),
    "POST /api/v1/images/download": naming(image_names=["image_name"]),
    "PATCH /api/v1/images/i/{image_name}": body(starred=True, is_intermediate=False, image_category="user"),
    "POST /api/v1/images/images_by_names": naming(image_names=["image_name"]),
    "GET /api/v1/images/names": query(**_LIST),
    "POST /api/v1/images/star": naming(image_names=["image_name"]),
    "POST /api/v1/images/unstar": naming(image_names=["image_name"]),
    "POST /api/v1/images/upload": fixed(
        Call(query=_UPLOAD, form={"metadata": '{"a": 1}'}, files={"file": png()})
    ),
    # model_manager
    "GET /api/v2/models/": query(base_models=["sd-1"], model_type="main", order_by="size", direction="DESC"),
    "GET /api/v2/models/get_by_attrs": _by_attributes,
    "GET /api/v2/models/get_by_hash": _by_hash,
    "POST /api/v2/models/hf_login": body(token="hf_x"),
    "GET /api/v2/models/hugging_face": query(hugging_face_repo=REPOSITORY),
    "POST /api/v2/models/i/bulk_delete": naming(keys=["key"]),
    "POST /api/v2/models/i/bulk_reidentify": _keys_with_files,
    "POST /api/v2/models/i/{key}/reidentify": _with_files,
    "PUT /api/v2/models/convert/{key}": _with_checkpoint,
    "PATCH /api/v2/models/i/{key}": body(name="Renamed", description="Draws hearts."),
    "GET /api/v2/models/i/{key}/image": _with_cover,
    "DELETE /api/v2/models/i/{key}/image": _with_cover,
    "PATCH /api/v2/models/i/{key}/image": fixed(Call(files={"image": png()})),
    "POST /api/v2/models/install": _install_source,
    "GET /api/v2/models/install/huggingface": query(source=REPOSITORY),
    "POST /api/v2/models/install/{id}/restart_file": fixed(
        Call(json="https://example.com/model.safetensors")
    ),
    "GET /api/v2/models/scan_folder": query(scan_path="/models"),
    "DELETE /api/v2/models/sync/orphaned": body(paths=["models/x"]),
    "POST /api/v1/model_relationships/": _two_models,
    "DELETE /api/v1/model_relationships/": _linked_models,
    "POST /api/v1/model_relationships/batch": naming(model_keys=["key"]),
    # queue
    "POST /api/v1/queue/{queue_id}/enqueue_batch": _batch,
    "POST /api/v1/credits/estimate": _batch,
    "PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids": naming(batch_ids=["batch_id"]),
    "PUT /api/v1/queue/{queue_id}/cancel_by_destination": query(destination="canvas"),
    "GET /api/v1/queue/{queue_id}/counts_by_destination": query(destination="canvas"),
    "GET /api/v1/queue/{queue_id}/item_ids": query(order_dir="ASC"),
    "POST /api/v1/queue/{queue_id}/items_by_ids": _item_ids,
    "POST /api/v1/queue/{queue_id}/item_summaries_by_ids": _item_ids,
    "GET /api/v1/queue/{queue_id}/list_all": query(destination="canvas"),
    "PUT /api/v1/queue/{queue_id}/retry_items_by_id": _canceled,
    # recall
    "POST /api/v1/recall/{queue_id}": fixed(
        Call(query={"append": True}, json={"positive_prompt": "a heart"})
    ),
    # style_presets
    "POST /api/v1/style_presets/": fixed(_FORM),
    "PATCH /api/v1/style_presets/i/{style_preset_id}": fixed(_FORM),
    "POST /api/v1/style_presets/import": fixed(
        Call(files={"file": ("presets.csv", b"name,prompt,negative_prompt\nRed,red,\n", "text/csv")})
    ),
    # system_prompts
    "POST /api/v1/system_prompts/": fixed(Call(json=PROMPT)),
    "PATCH /api/v1/system_prompts/i/{system_prompt_id}": body(content="Write a better prompt."),
    # utilities
    "POST /api/v1/utilities/dynamicprompts": body(prompt="a {red|green} heart", max_prompts=5),
    # videos
    "GET /api/v1/videos/": query(**_PAGE),
    "POST /api/v1/videos/board": naming(board_id="board_id", video_name="video_name"),
    "DELETE /api/v1/videos/board": naming(video_name="video_name"),
    "POST /api/v1/videos/delete": naming(video_names=["video_name"]),
    "PATCH /api/v1/videos/i/{video_name}": body(starred=True, is_intermediate=False, video_category="user"),
    "GET /api/v1/videos/names": query(**_LIST),
    "POST /api/v1/videos/star": naming(video_names=["video_name"]),
    "POST /api/v1/videos/unstar": naming(video_names=["video_name"]),
    "POST /api/v1/videos/upload": fixed(
        Call(query={"video_category": "user", "is_intermediate": False}, files={"file": mp4()})
    ),
    # workflows
    "GET /api/v1/workflows/": query(
        page=0,
        per_page=10,
        order_by="name",
        direction="ASC",
        categories=["user"],
        query="heart",
        tags=["red"],
    ),
    "POST /api/v1/workflows/": fixed(Call(json={"workflow": WORKFLOW})),
    "GET /api/v1/workflows/counts_by_category": query(categories=["user", "default"]),
    "GET /api/v1/workflows/counts_by_tag": query(tags=["hearts"], categories=["user"]),
    "GET /api/v1/workflows/tags": query(categories=["user"]),
    "PATCH /api/v1/workflows/i/{workflow_id}": _workflow_change,
    "PATCH /api/v1/workflows/i/{workflow_id}/is_public": body(is_public=False),
    "GET /api/v1/workflows/i/{workflow_id}/thumbnail": _with_thumbnail,
    "DELETE /api/v1/workflows/i/{workflow_id}/thumbnail": _with_thumbnail,
    "PUT /api/v1/workflows/i/{workflow_id}/thumbnail": fixed(Call(files={"image": png()})),
}

# What a good call gets in the place of the first success of InvokeAI's document.
EXPECTED = {
    "DELETE /api/v2/models/install": 204,  # its document has 200 too, its endpoint never answers it
    "GET /api/v1/utilities/fonts/{font_path}": 404,  # there are none
}
