"""Who was cut off connects again and then reads what is true, whatever happened in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.settings import Settings
from tests.apps import LiveApi, Subject
from tests.apps import live_api as serve
from tests.graphs import add_model, batch_body
from tests.processes import ChildProcess, own_redis, saas, wait_for, wait_for_redis
from tests.realtime.clients import Listener, listening
from tests.realtime.people import sign_up
from tests.servers import TestDatabase
from tests.waiting import eventually
from tests.workers import working

QUEUE = "/api/v1/queue/default"


@pytest.fixture(autouse=True)
def model(database: TestDatabase) -> dict[str, Any]:
    return add_model(database)


async def _enqueue(subject: Subject) -> int:
    answer = await subject.post(f"{QUEUE}/enqueue_batch", json=batch_body())
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()["item_ids"]
    return int(item)


async def _is_done(subject: Subject, item: int) -> bool:
    found = await subject.get(f"{QUEUE}/i/{item}")
    return bool(found.status_code == 200 and found.json()["status"] == "completed")


async def _state(subject: Subject) -> tuple[int, int]:
    """What the page reads on every connect: jobs done and pictures."""
    status = (await subject.get(f"{QUEUE}/status")).json()["queue"]
    names = (await subject.get("/api/v1/gallery/item_names?board_id=none")).json()
    return int(status["completed"]), len(names["item_names"])


async def _hears_again(listener: Listener, subject: Subject, settings: Settings) -> None:
    """A job from now on is heard of again, from its beginning to its end."""
    listener.heard.clear()
    async with working(settings):
        await _enqueue(subject)
        await eventually(
            lambda: "completed" in [e["status"] for e in listener.of("queue_item_status_changed")]
        )


async def test_a_client_that_was_away_reads_the_state_when_it_is_back(live_api: LiveApi) -> None:
    ada = await live_api.person("ada@example.com")
    async with working(live_api.settings):
        async with listening(live_api.url, ada.token):
            pass
        async with listening(live_api.url, ada.token) as other:
            item = await _enqueue(ada)
            await eventually(lambda: _is_done(ada, item))
            await eventually(lambda: "credits_changed" in other.names)  # a worker's last word
        async with listening(live_api.url, ada.token) as back:
            assert await _state(ada) == (1, 1)
            assert back.heard == []  # nothing is sent twice


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[int, ChildProcess]]:
    port = free_port()
    with own_redis(port, tmp_path) as process:
        yield port, process


async def test_when_redis_comes_back_every_client_is_sent_away_to_read_what_it_missed(
    settings: Settings, redis: tuple[int, ChildProcess]
) -> None:
    """Their own connections have lived on all the time: by themselves they would never know."""
    port, process = redis
    settings = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{port}/0")})
    async with serve(settings) as api, working(settings):
        ada = await api.person("ada@example.com")
        async with listening(api.url, ada.token, again=True) as page:
            process.kill()
            item = await _enqueue(ada)
            await eventually(lambda: _is_done(ada, item))
            assert page.connects == 1
            assert page.of("queue_item_status_changed") == []
            process.start()
            wait_for_redis(port)
            await eventually(lambda: page.connects >= 2 and page.open)
            assert await _state(ada) == (1, 1)
            page.heard.clear()
            item = await _enqueue(ada)
            await eventually(
                lambda: "completed" in [e["status"] for e in page.of("queue_item_status_changed")]
            )


@asynccontextmanager
async def _with_a_process(settings: Settings) -> AsyncIterator[tuple[str, ChildProcess, Settings]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    there = settings.model_copy(update={"port": port, "public_url": url})
    with saas(there, "api") as process:
        wait_for(url)
        yield url, process, there


async def test_a_killed_process_costs_its_clients_a_moment_and_no_news(settings: Settings) -> None:
    async with (
        _with_a_process(settings) as (url, process, there),
        sign_up(url, "ada@example.com") as ada,
        listening(url, ada.token, again=True) as page,
    ):
        item = await _enqueue(ada)
        process.kill()
        await eventually(lambda: not page.open)
        async with working(there):
            process.start()
            wait_for(url)
            await eventually(lambda: _is_done(ada, item))
        await eventually(lambda: page.connects >= 2 and page.open)
        assert await _state(ada) == (1, 1)
        await _hears_again(page, ada, there)
