"""Rate limits, with Redis there, gone, and there but silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from invokeai_saas import ratelimit
from invokeai_saas.embedded.servers import Addresses
from invokeai_saas.errors import RateLimited
from invokeai_saas.ratelimit import RateLimiter
from invokeai_saas.services import open_redis
from invokeai_saas.settings import Settings


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may stand still for seconds: a Redis that is there is not held to be away for that."""
    monkeypatch.setattr(ratelimit, "_PATIENCE", 30.0)
    monkeypatch.setattr(ratelimit, "_AWAY_FOR", 60.0)


@pytest.fixture
def who() -> str:
    """Somebody whom no other test counts."""
    return uuid4().hex


@asynccontextmanager
async def _redis(url: str) -> AsyncIterator[Redis]:
    redis = open_redis(Settings(redis_url=SecretStr(url)))
    try:
        yield redis
    finally:
        await redis.aclose()


@asynccontextmanager
async def _silent_server() -> AsyncIterator[tuple[str, list[asyncio.BaseTransport]]]:
    """Takes connections and never says a word; answers its URL and who came."""
    came: list[asyncio.BaseTransport] = []

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            came.append(transport)

    server = await asyncio.get_running_loop().create_server(Silent, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", came
    finally:
        server.close()
        for transport in came:
            transport.close()


async def _calls(limiter: RateLimiter, who: str, times: int, limit: int = 3) -> list[bool]:
    """Which calls were let through."""
    through = []
    for _ in range(times):
        try:
            await limiter.check(who, "thing", limit)
            through.append(True)
        except RateLimited:
            through.append(False)
    return through


async def test_a_window_lets_so_many_through_over_all_processes(addresses: Addresses, who: str) -> None:
    async with _redis(addresses.redis_url) as redis:
        one, other = RateLimiter(redis), RateLimiter(redis)
        assert await _calls(one, who, 2) == [True, True]
        assert await _calls(other, who, 2) == [True, False]
        assert await _calls(one, f"{who}-else", 1) == [True]
        with pytest.raises(RateLimited) as caught:
            await one.check(who, "thing", 3)
        assert 1 <= caught.value.retry_after <= 60


async def test_a_window_is_as_long_as_told_and_ends(addresses: Addresses, who: str) -> None:
    async with _redis(addresses.redis_url) as redis:
        limiter = RateLimiter(redis)
        await limiter.check(who, "thing", 1, window=3)
        with pytest.raises(RateLimited):
            await limiter.check(who, "thing", 1, window=3)
        await asyncio.sleep(3.1)
        await limiter.check(who, "thing", 1, window=3)


async def test_without_redis_the_process_counts_for_itself(who: str) -> None:
    async with _redis("redis://127.0.0.1:9/0") as redis:
        assert await _calls(RateLimiter(redis), who, 4) == [True, True, True, False]


async def test_a_silent_redis_is_waited_for_once_in_a_while(
    who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit, "_PATIENCE", 0.5)
    async with _silent_server() as (url, came), _redis(url) as redis:
        limiter = RateLimiter(redis)
        assert await _calls(limiter, who, 20) == [True] * 3 + [False] * 17
        assert len(came) == 1


async def test_processes_tell_each_other_in_batches(addresses: Addresses, who: str) -> None:
    async with _redis(addresses.redis_url) as redis:
        one, other = RateLimiter(redis), RateLimiter(redis)
        through = await _calls(one, who, 50, limit=60) + await _calls(other, who, 50, limit=60)
        through += await _calls(one, who, 5, limit=60)
        assert 60 <= sum(through) <= 60 + 60 // 20
        # Once both have heard, nobody gets through by either.
        assert await _calls(one, who, 5, limit=60) + await _calls(other, who, 5, limit=60) == [False] * 10


async def test_a_batch_is_told_after_a_second(
    addresses: Addresses, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ratelimit._BATCH_SECONDS == 1.0
    monkeypatch.setattr(ratelimit, "_BATCH_SECONDS", 60.0)
    async with _redis(addresses.redis_url) as redis:
        limiter = RateLimiter(redis)
        assert await _calls(limiter, who, 5, limit=1000) == [True] * 5
        assert await redis.get(f"ratelimit:{who}:thing") == b"1"
        monkeypatch.setattr(ratelimit, "_BATCH_SECONDS", 0.0)  # it has passed
        assert await _calls(limiter, who, 1, limit=1000) == [True]
        assert await redis.get(f"ratelimit:{who}:thing") == b"6"
