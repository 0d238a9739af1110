"""Graphs and models that tests queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg

from invokeai_saas.demo import text_to_image
from tests.factories import insert
from tests.servers import TestDatabase

STARTER: dict[str, Any] = {
    "key": "7d8f4d2e-3c53-4f0e-9d53-58f3b2d2a001",
    "hash": "blake3:0000",
    "name": "Starter",
    "base": "sd-1",
    "type": "main",
    "format": "diffusers",
    "path": "models/shared/starter/weights",
    "default_settings": {"width": 64, "height": 64, "steps": 3, "cfg_scale": 6.0, "scheduler": "dpmpp_2m"},
}


def add_model(database: TestDatabase, owner: UUID | None = None, **changes: Any) -> dict[str, Any]:
    """A model in the catalogue: on offer to all, or one person's own."""
    record = {**STARTER, **changes}
    with psycopg.connect(database.owner) as connection:
        insert(
            connection, "models", key=record["key"], user_id=owner, name=record["name"], base=record["base"],
            type=record["type"], format=record["format"], path=record["path"], hash=record["hash"], file_size=1,
            record=record,
        )  # fmt: skip
    return record


def picture_graph(prompt: str = "a red heart", seed: int = 1, **model: Any) -> dict[str, Any]:
    """A small text-to-image graph of the starter model."""
    return text_to_image({**STARTER, **model}, prompt, seed)


def batch_body(graph: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Body of enqueue_batch."""
    return {"batch": {"graph": graph or picture_graph(), "runs": 1, **changes}}


def seeds(*values: int) -> list[list[dict[str, Any]]]:
    """Batch data that varies the seed."""
    return [[{"node_path": "noise", "field_name": "seed", "items": list(values)}]]


def unknown_key() -> str:
    """A model key that nobody has."""
    return str(uuid4())
