"""What works on installs by itself elsewhere, step by step here: downloads, and a look at what came."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from redis import Redis

from invokeai_saas.catalog.installs.downloads import Downloads
from invokeai_saas.catalog.installs.identify import Identifier
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import open_object_store
from invokeai_saas.worker.events import EventStream
from invokeai_saas.worker.mock import MockEngine
from invokeai_saas.worker.modelfiles import ModelFiles
from tests.catalog.installs.sources import Site
from tests.servers import TestDatabase
from tests.waiting import eventually


def installing_from(site: Site, settings: Settings) -> Settings:
    """Sources of this machine, which only tests may have."""
    changes = {
        "model_hosts": "127.0.0.1",
        "model_hub_url": site.url,
        "model_sources_on_this_machine": True,
        "model_dir": settings.data_dir / "shared-models",
        "identify_seconds": 10.0,
    }
    return settings.model_copy(update=changes)


@dataclass
class Crew:
    """A scheduler's downloads and a worker's look at what came, step by step."""

    settings: Settings
    downloads: Downloads
    identifier: Identifier
    sent: list[tuple[str, str, dict[str, Any]]]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [payload for _, event, payload in self.sent if event == name]

    async def work(self) -> None:
        """Downloads what waits, to its end, and identifies it."""
        self.downloads.look()
        await self.idle()
        while await asyncio.to_thread(self.identifier.work_once):
            pass

    async def noticed(self) -> None:
        """Waits until the one download that runs has heard, by its heartbeat, that it is not wanted any more."""
        await eventually(lambda: all(thread.name != "install-beat" for thread in threading.enumerate()))

    async def idle(self) -> None:
        """Waits until no download runs."""
        slots, most = self.downloads._slots, self.settings.model_downloads
        await eventually(lambda: slots._value == most)


def prolonged(database: TestDatabase) -> None:
    """Returns when the lease of what is being worked on has been prolonged twice: the first may be under way."""
    seen: set[datetime] = set()
    deadline = time.monotonic() + 120
    with psycopg.connect(database.owner, autocommit=True) as connection:
        while len(seen) < 3:
            found = connection.execute("SELECT lease_until FROM model_installs WHERE lease_until > now()")
            seen |= {until for (until,) in found}
            assert time.monotonic() < deadline
            time.sleep(0.02)


class Recorder(EventStream):
    """Keeps events instead of sending them."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, Any]]] = []

    def emit(self, user_id: str, event: str, payload: dict[str, Any]) -> None:
        self.sent.append((user_id, event, json.loads(json.dumps(payload))))


@contextmanager
def open_crew(settings: Settings) -> Iterator[Crew]:
    """A crew at work on what the service with these settings takes on."""
    events, objects = Recorder(), open_object_store(settings)
    downloads = Downloads(settings, objects, events)
    files = ModelFiles(settings.data_dir / "worker" / "models", objects, settings.model_cache_bytes)
    redis = Redis.from_url(settings.redis_url.get_secret_value())
    identifier = Identifier(settings, MockEngine(0), objects, events, files, redis)
    try:
        yield Crew(settings, downloads, identifier, events.sent)
    finally:
        downloads.close()
        identifier.close()
        redis.close()
