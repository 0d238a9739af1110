"""Redis killed in the middle of everything: slower, never wrong, never open. And back again, by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from redis import Redis

from invokeai_saas.db.freshness import FRESH_MILLISECONDS
from invokeai_saas.embedded.ports import free_port
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi, Subject, running_api
from tests.graphs import add_model, batch_body, seeds
from tests.money import violations
from tests.processes import ChildProcess, own_redis, wait_for_redis
from tests.servers import TestDatabase
from tests.waiting import eventually
from tests.workers import working

QUEUE = "/api/v1/queue/default"


@dataclass
class OwnRedis:
    """A server of the test's own, which can be killed and started again at the same port."""

    port: int
    process: ChildProcess

    def kill(self) -> None:
        self.process.kill()

    def start(self) -> None:
        self.process.start()
        wait_for_redis(self.port)

    def names(self) -> set[str]:
        with Redis(port=self.port, decode_responses=True) as redis:
            return set(redis.scan_iter())

    def seconds_left(self, key: str) -> float:
        """Below zero where a key has no end; zero where it has come to it."""
        with Redis(port=self.port) as redis:
            left = int(redis.pttl(key))
            return 0.0 if left == -2 else left / 1000


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[OwnRedis]:
    port = free_port()
    with own_redis(port, tmp_path) as process:
        yield OwnRedis(port, process)


@pytest.fixture
def on_it(settings: Settings, valkey: OwnRedis) -> Settings:
    return settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{valkey.port}/0")})


async def _make_picture(person: Subject) -> None:
    answer = await person.post(f"{QUEUE}/enqueue_batch", json=batch_body(data=seeds(1)))
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()["item_ids"]

    async def completed() -> bool:
        return bool((await person.get(f"{QUEUE}/i/{item}")).json()["status"] == "completed")

    await eventually(completed)


async def _log_in(api: RunningApi, email: str, password: str) -> int:
    answer = await api.nobody().post("/api/v1/auth/login", json={"email": email, "password": password})
    return answer.status_code


async def test_killed_while_people_work_and_back_again(
    on_it: Settings, valkey: OwnRedis, database: TestDatabase
) -> None:
    add_model(database)
    async with running_api(on_it) as api, working(on_it):
        ada = await api.person("ada@example.com")
        await _make_picture(ada)
        valkey.kill()
        await _make_picture(ada)  # slower: nobody rings
        with psycopg.connect(database.url()) as connection:
            used = connection.execute("SELECT count(*) FROM usage_records").fetchone()
        assert used == (2,)
        assert violations(database) == {}
        valkey.start()
        await _make_picture(ada)

        async def counted_again() -> bool:
            await ada.get(f"{QUEUE}/status")
            return any(key.startswith("ratelimit:") for key in valkey.names())

        await eventually(counted_again)
    assert violations(database) == {}


async def test_with_it_away_nothing_is_open(on_it: Settings, valkey: OwnRedis) -> None:
    limited = on_it.model_copy(update={"enqueues_per_minute": 3, "login_attempts_per_minute": 3})
    async with running_api(limited) as api:
        ada = await api.person("ada@example.com")
        valkey.kill()
        told = [(await ada.post(f"{QUEUE}/enqueue_batch", json={})).status_code for _ in range(5)]
        assert told.count(429) == 2 and told[-1] == 429
        guesses = [await _log_in(api, "ada@example.com", "Wrong-horse-7") for _ in range(5)]
        assert guesses == [401, 401, 401, 429, 429]
        assert await _log_in(api, "ada@example.com", PASSWORD) == 429
        assert (await ada.post("/api/v1/auth/logout")).status_code == 200
        assert (await ada.get("/api/v1/auth/me")).status_code == 401  # at once: no trust is remembered


async def test_every_key_ends_by_itself_and_holds_no_trust(
    on_it: Settings, valkey: OwnRedis, database: TestDatabase
) -> None:
    """What stands in Redis after somebody has worked: nothing of the table in ADR 0020 that says who may what."""
    add_model(database)
    async with running_api(on_it) as api, working(on_it):
        ada = await api.person("ada@example.com")
        await _make_picture(ada)
        await asyncio.sleep(0.1)
        keys = valkey.names()
        kinds = {key.split(":")[0] for key in keys}
        assert kinds <= {"ratelimit", "fresh", "doorbell", "look"}
        assert "ratelimit" in kinds
        for key in keys - {key for key in keys if key.startswith("doorbell:")}:
            most = FRESH_MILLISECONDS / 1000 if key.startswith("fresh:") else 3600
            assert 0 <= valkey.seconds_left(key) <= most, key
