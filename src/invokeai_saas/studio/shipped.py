"""What InvokeAI ships for everybody: read from the folder that `make install` derives from its package.

It has no owner and no rows: everybody sees the same, and nobody changes it. The pictures lie in the bucket under
`system/`, where they are put once (`publish_pictures`) and served from like all others, by signed paths: an API
process needs neither a file of its own for them nor a request. Their names are digests, so that releases don't mix.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import structlog

from invokeai_saas.errors import NotFound
from invokeai_saas.storage.keys import default_preset_key, default_workflow_key
from invokeai_saas.storage.objects import ObjectStore

CATALOG = "shipped.json"
PICTURES = "pictures"
OWNER = "system"  # whom InvokeAI names as the owner of these

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ShippedWorkflow:
    """Parameters: workflow: with its id; picture: key of its thumbnail in the bucket."""

    workflow: dict[str, Any]
    picture: str | None

    @property
    def id(self) -> str:
        return str(self.workflow["id"])


@dataclass(frozen=True)
class ShippedPreset:
    """Parameters: picture: key of its image in the bucket."""

    id: str
    name: str
    positive_prompt: str
    negative_prompt: str
    picture: str | None


@dataclass(frozen=True)
class ShippedPrompt:
    id: str
    name: str
    content: str


class Shipped:
    """The exported folder, read when first needed.

    Where it is missing nothing is offered, and the log and `doctor` say so: what people keep themselves must not
    depend on it.

    Parameters:
        folder: holds the catalogue and its pictures.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _catalog(self) -> dict[str, Any]:
        try:
            catalog: dict[str, Any] = orjson.loads((self._folder / CATALOG).read_bytes())
        except FileNotFoundError:
            log.warning("shipped_library_missing", folder=str(self._folder), remedy="Run `make install`.")
            return {}
        return catalog

    @property
    def since(self) -> datetime:
        """When it came to be offered. Only to be asked when something is."""
        return datetime.fromisoformat(self._catalog["exported_at"])

    @cached_property
    def workflows(self) -> dict[str, ShippedWorkflow]:
        """By id."""
        found = [
            ShippedWorkflow(entry["workflow"], _key(default_workflow_key, entry))
            for entry in self._catalog.get("workflows", [])
        ]
        return {workflow.id: workflow for workflow in found}

    @cached_property
    def presets(self) -> dict[str, ShippedPreset]:
        """By id."""
        found = [
            ShippedPreset(**entry | {"picture": _key(default_preset_key, entry)})
            for entry in self._catalog.get("style_presets", [])
        ]
        return {preset.id: preset for preset in found}

    @cached_property
    def prompts(self) -> dict[str, ShippedPrompt]:
        """By id."""
        found = [ShippedPrompt(**entry) for entry in self._catalog.get("system_prompts", [])]
        return {prompt.id: prompt for prompt in found}

    def pictures(self) -> dict[str, Path]:
        """Each picture's key in the bucket, and the file that it is made from."""
        keys = [
            *(workflow.picture for workflow in self.workflows.values()),
            *(preset.picture for preset in self.presets.values()),
        ]
        return {key: self._folder / PICTURES / key.rpartition("/")[2] for key in keys if key}


def _key(make: Callable[[str], str], entry: dict[str, Any]) -> str | None:
    return make(entry["picture"]) if entry["picture"] else None


async def publish_pictures(shipped: Shipped, objects: ObjectStore) -> int:
    """Puts the pictures into the bucket that are not there yet; answers how many those were.

    Raises:
        Unavailable: the file store cannot be reached.
    """
    put = 0
    for key, file in shipped.pictures().items():
        try:
            await objects.head(key)
        except NotFound:
            await objects.put(key, await asyncio.to_thread(file.read_bytes), "image/png")
            put += 1
    return put
