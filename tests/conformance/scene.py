"""A person and the things that calls name, made when a call first names one of their kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from psycopg.types.json import Jsonb

from tests.apps import PASSWORD, RunningApi, Subject
from tests.conformance.calls import CALLS, Call, mp4, png
from tests.conformance.nearby import CHECKPOINT, LORA, worker_for
from tests.conformance.records import starter_record
from tests.contract import BY_NAME
from tests.factories import insert, make_export, make_image, make_video
from tests.graphs import add_model, batch_body, picture_graph
from tests.servers import TestDatabase
from tests.waiting import eventually

_QUEUE = "/api/v1/queue/default"


class Missing(Exception):
    """A thing cannot be made, because the operation that makes it is refused today."""


@dataclass
class Scene:
    """One person's belongings on a running API.

    Parameters:
        api, database: where.
        owner: whose they are.
        email: the owner's.
        own_models: whether the models are the owner's alone, rather than on offer to all.
    """

    api: RunningApi
    database: TestDatabase
    owner: Subject
    email: str
    password: str = PASSWORD
    own_models: bool = False
    made: dict[str, str] = field(default_factory=dict)  # the newest of each kind
    history: set[tuple[str, str]] = field(default_factory=set)  # (kind, thing) of all
    _model: dict[str, Any] | None = None

    async def thing(self, kind: str) -> str:
        """A new thing of a kind, named like the path's parameter that names it. Raises Missing."""
        self.made[kind] = await _MAKERS[kind](self)
        self.history.add((kind, self.made[kind]))
        return self.made[kind]

    async def call(self, name: str) -> tuple[str, str, Call]:
        """(method, path, rest) of a good call of an operation, with things of its own. Raises Missing."""
        method, template = name.split(" ")
        path = template
        for kind in _MAKERS:
            if f"{{{kind}}}" in path:
                path = path.replace(f"{{{kind}}}", await self.thing(kind))
        build = CALLS.get(name)
        return method, path, await build(self) if build else Call()

    async def send(self, name: str) -> httpx.Response:
        """A good call's answer to the owner. Raises Missing."""
        method, path, call = await self.call(name)
        async with worker_for(name, self.api.settings):
            return await self.owner.request(method, path, **call.options())

    async def model(self) -> dict[str, Any]:
        """The model on offer to all; a new one of the owner's where models are their own."""
        if self._model is None or self.own_models:
            record = starter_record()
            self._model = self.add_own_model() if self.own_models else add_model(self.database, **record)
        return self._model

    def add_own_model(self) -> dict[str, Any]:
        owner, key = self.owner.user_id, str(uuid4())
        record = starter_record() | {"key": key, "name": f"Model {key}", "hash": f"blake3:{key}"}
        return add_model(self.database, owner, **record | {"path": f"models/users/{owner}/{key}"})

    async def store_file(self, key: str, name: str, contents: bytes) -> None:
        """Gives a model of the owner's a file, which the mock engine is to know."""
        stored = f"users/{self.owner.user_id}/models/{key}/{name}"
        await self.api.services.objects.put(stored, contents, "application/octet-stream")
        file = {"path": name, "key": stored, "size": len(contents), "sha256": sha256(contents).hexdigest()}
        with psycopg.connect(self.database.owner) as connection:
            connection.execute("UPDATE models SET files = %s WHERE key = %s", [Jsonb([file]), key])

    async def store_lora(self, key: str) -> None:
        """Makes a model of the owner's a LoRA."""
        await self.store_file(key, "lora.safetensors", LORA)

    async def store_checkpoint(self, key: str) -> None:
        """Makes a model of the owner's a single-file checkpoint."""
        await self.store_file(key, "dream.safetensors", CHECKPOINT)
        with psycopg.connect(self.database.owner) as connection:
            connection.execute(
                "UPDATE models SET format = 'checkpoint', record = record || '{\"format\": \"checkpoint\"}'"
                " WHERE key = %s",
                [key],
            )

    @property
    def own_model(self) -> dict[str, Any] | None:
        """The newest model of the owner's own."""
        return self._model if self.own_models else None

    async def batch(self, **changes: Any) -> dict[str, Any]:
        """A body for enqueue_batch that names the model."""
        return batch_body(picture_graph(**await self.model()), **changes)

    async def canceled_item(self) -> str:
        item = await self.thing("item_id")
        (await self.owner.put(f"{_QUEUE}/i/{item}/cancel")).raise_for_status()
        return item

    async def answer(self, name: str) -> Any:
        """JSON of a good call that makes something. Raises Missing when it is refused by the contract."""
        if not BY_NAME[name].is_answered:
            raise Missing(name)
        answer = await self.send(name)
        assert answer.status_code < 300, (name, answer.status_code, answer.text)
        return answer.json()

    async def file(self, name: str, contents: bytes, media_type: str) -> None:
        await self.api.services.objects.put(f"users/{self.owner.user_id}/images/{name}", contents, media_type)


async def _board(scene: Scene) -> str:
    answer = await scene.owner.post("/api/v1/boards/", params={"board_name": "Hearts"})
    board = str(answer.json()["board_id"])
    image = await scene.thing("image_name")
    with psycopg.connect(scene.database.owner) as connection:
        insert(connection, "board_images", user_id=scene.owner.user_id, board_id=board, image_name=image)
    return board


async def _image(scene: Scene) -> str:
    """A picture with its files, as a worker leaves them."""
    assert scene.owner.user_id is not None
    with psycopg.connect(scene.database.owner) as connection:
        name = make_image(connection, scene.owner.user_id, metadata={"positive_prompt": "a heart"})
    await scene.file(name, png()[1], "image/png")
    await scene.file(f"thumbnails/{name[:-4]}.webp", png()[1], "image/webp")
    return name


async def _video(scene: Scene) -> str:
    assert scene.owner.user_id is not None
    with psycopg.connect(scene.database.owner) as connection:
        name = make_video(connection, scene.owner.user_id, duration_seconds=1.0, fps=4.0, width=64, height=48)
    await scene.file(name, mp4()[1], "video/mp4")
    await scene.file(f"thumbnails/{name[:-4]}.webp", png()[1], "image/webp")
    return name


async def _enqueued(scene: Scene) -> dict[str, Any]:
    body = await scene.batch(destination="canvas")
    answer = await scene.owner.post(f"{_QUEUE}/enqueue_batch", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _item(scene: Scene) -> str:
    return str((await _enqueued(scene))["item_ids"][0])


async def _batch(scene: Scene) -> str:
    return str((await _enqueued(scene))["batch"]["batch_id"])


async def _download(scene: Scene) -> str:
    """The name of a package of pictures, once it is packed."""
    name = str((await scene.answer("POST /api/v1/images/download"))["bulk_download_item_name"])

    async def packed() -> bool:
        return (await scene.owner.get(f"/api/v1/images/download/{name}")).status_code == 200

    await eventually(packed)
    return name


async def _export(scene: Scene) -> str:
    """An archive of the day before yesterday."""
    assert scene.owner.user_id is not None
    with psycopg.connect(scene.database.owner) as connection:
        return make_export(connection, scene.owner.user_id)


async def _key(scene: Scene) -> str:
    return str((await scene.model())["key"])


async def _another_key(scene: Scene) -> str:
    return str(scene.add_own_model()["key"])


def _made_by(name: str, key: str) -> Callable[[Scene], Awaitable[str]]:
    async def make(scene: Scene) -> str:
        return str((await scene.answer(name))[key])

    return make


def _always(value: str) -> Callable[[Scene], Awaitable[str]]:
    async def make(scene: Scene) -> str:
        return value

    return make


async def _today(scene: Scene) -> str:
    await scene.thing("image_name")
    return datetime.now(UTC).date().isoformat()


async def _owner(scene: Scene) -> str:
    return str(scene.owner.user_id)


async def _api_key(scene: Scene) -> str:
    answer = await scene.owner.post("/api/v1/keys", json={"name": "A program"})
    return str(answer.json()["id"])


_MAKERS: dict[str, Callable[[Scene], Awaitable[str]]] = {
    "queue_id": _always("default"),
    "board_id": _board,
    "image_name": _image,
    "video_name": _video,
    "item_id": _item,
    "batch_id": _batch,
    "destination": _always("canvas"),
    "date": _today,
    "bulk_download_item_name": _download,
    "export_id": _export,
    "key": _key,
    "model_key": _key,
    "other_key": _another_key,
    "id": _made_by("POST /api/v2/models/install", "id"),
    "workflow_id": _made_by("POST /api/v1/workflows/", "workflow_id"),
    "style_preset_id": _made_by("POST /api/v1/style_presets/", "id"),
    "system_prompt_id": _made_by("POST /api/v1/system_prompts/", "id"),
    "user_id": _owner,
    "key_id": _api_key,
    "provider_id": _always("openai"),
    "pack_name": _always("pack"),
    "font_path": _always("font.woff2"),
}


async def new_scene(
    api: RunningApi, database: TestDatabase, email: str = "ada@example.com", *, own_models: bool = False
) -> Scene:
    """Somebody who has just signed up, on a plan that includes all there is."""
    owner = await api.person(email)
    give_every_feature(database, owner)
    return Scene(api, database, owner, email, own_models=own_models)


def give_every_feature(database: TestDatabase, person: Subject) -> None:
    """Puts a person on the plan that includes all there is."""
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE user_subscriptions SET plan_id = (SELECT id FROM subscription_plans WHERE slug = 'enterprise')"
            " WHERE user_id = %s",
            [person.user_id],
        )
