"""A reader that lags, and who reads from the writer for all that.

The lagging reader is a second database, copied from the first at an earlier moment: it never catches up, so whatever is
read there is old, and seen to be old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis

from invokeai_saas.db import freshness, roles
from invokeai_saas.embedded.servers import Addresses
from invokeai_saas.settings import Settings
from invokeai_saas.worker import events
from tests.apps import RunningApi, Subject, running_api
from tests.apps import live_api as serve
from tests.graphs import add_model, batch_body
from tests.realtime.clients import listening
from tests.servers import TestDatabase, copied_database
from tests.workers import working

QUEUE = "/api/v1/queue/default"
BOARDS = "/api/v1/boards/?all=true"


@pytest.fixture
def model(database: TestDatabase) -> dict[str, Any]:
    return add_model(database)


@pytest.fixture
def lagging(
    model: dict[str, Any], settings: Settings, migrated: Addresses, database: TestDatabase
) -> Iterator[Settings]:
    """Settings with a reader that knows of the model and of nothing that comes later."""
    with copied_database(migrated, database.name) as earlier:
        url = SecretStr(earlier.url(roles.API, "postgresql+asyncpg"))
        yield settings.model_copy(update={"database_reader_url": url})


@pytest.fixture(autouse=True)
def long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may stand still for seconds: nobody stops being fresh by that, or Redis being asked."""
    monkeypatch.setattr(freshness, "FRESH_MILLISECONDS", 60_000)
    monkeypatch.setattr(events, "FRESH_MILLISECONDS", 60_000)
    monkeypatch.setattr(freshness, "_PATIENCE", 30.0)


def _later(settings: Settings, *people: Subject) -> None:
    """From now on they are not fresh any more, as if two seconds had passed."""
    with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
        redis.delete(*(freshness.fresh_key(str(person.user_id)) for person in people))


async def _boards(subject: Subject) -> list[str]:
    return [board["board_name"] for board in (await subject.get(BOARDS)).json()]


async def _pictures(subject: Subject) -> int:
    names = (await subject.get("/api/v1/gallery/item_names?board_id=none")).json()
    return len(names["item_names"])


async def test_who_has_just_written_reads_it_on_every_process_and_later_from_the_reader(
    lagging: Settings,
) -> None:
    async with running_api(lagging) as here, running_api(lagging) as elsewhere:
        ada = await here.person("ada@example.com")
        there = elsewhere.nobody()
        there.client.headers["authorization"] = f"Bearer {ada.token}"
        _later(lagging, ada)
        await ada.post("/api/v1/boards/?board_name=Sea")
        assert await _boards(ada) == await _boards(there) == ["Sea"]
        _later(lagging, ada)
        assert await _boards(ada) == await _boards(there) == []  # the reader's, which knows of none


async def test_nobody_else_reads_from_the_writer_because_of_it(lagging: Settings) -> None:
    async with running_api(lagging) as api:
        ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
        await bob.post("/api/v1/boards/?board_name=Hidden")
        _later(lagging, ada, bob)
        await ada.post("/api/v1/boards/?board_name=Sea")
        assert await _boards(bob) == []
        assert await _boards(ada) == ["Sea"]


async def test_who_signs_up_finds_their_account(lagging: Settings) -> None:
    async with running_api(lagging) as api:
        ada = await api.person("ada@example.com")
        summary = (await ada.get("/api/v1/account/summary")).json()
        assert summary["available"] == 500


async def test_the_picture_is_there_when_its_event_comes(lagging: Settings) -> None:
    async with serve(lagging) as api:
        ada = await api.person("ada@example.com")
        async with listening(api.url, ada.token) as page:
            seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

            async def read(payload: dict[str, Any]) -> None:
                if payload["status"] == "completed":
                    seen.set_result(await _pictures(ada))

            page.socket.on("queue_item_status_changed", read)
            await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body())
            _later(lagging, ada)  # what was written itself is long past
            async with working(lagging):
                assert await asyncio.wait_for(seen, 120) == 1
            _later(lagging, ada)
            assert await _pictures(ada) == 0  # the reader's


async def test_with_redis_away_everybody_reads_from_the_writer(lagging: Settings) -> None:
    nowhere = lagging.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    async with running_api(nowhere) as api:
        ada = await api.person("ada@example.com")
        await ada.post("/api/v1/boards/?board_name=Sea")
        assert await _boards(ada) == ["Sea"]


async def test_where_reader_and_writer_are_one_redis_is_not_asked(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    await ada.post("/api/v1/boards/?board_name=Sea")
    assert await api.services.redis.exists(f"fresh:{ada.user_id}") == 0
    assert await _boards(ada) == ["Sea"]
