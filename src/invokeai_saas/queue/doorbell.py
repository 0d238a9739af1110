"""A ring wakes an idle worker; it never decides anything and losing one costs only latency.

On one machine the bell is a Redis list per tier: workers wait on it with BLPOP. The list is trimmed, since a ring
means "look", and a hundred of them mean no more than one per idle worker.
"""

from __future__ import annotations

from collections.abc import Iterable

from redis import Redis as SyncRedis
from redis.asyncio import Redis

_MOST_RINGS = 64
CANCEL_CHANNEL = "jobs:cancel"


def bell_key(tier: str) -> str:
    """The Redis list of a tier."""
    return f"doorbell:{tier}"


class Doorbell:
    """The API's side: rings."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def ring(self, tier: str, jobs: int = 1) -> None:
        """Wakes up to `jobs` idle workers of a tier."""
        rings = min(jobs, _MOST_RINGS)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.rpush(bell_key(tier), *(["1"] * rings))
            pipe.ltrim(bell_key(tier), 0, _MOST_RINGS - 1)
            await pipe.execute()

    async def ask_to_cancel(self, item_id: int) -> None:
        """Tells the worker that runs a job to stop it now; its next heartbeat would tell it anyway."""
        await self._redis.publish(CANCEL_CHANNEL, str(item_id))


class WorkerBell:
    """The worker's side: waits, and rings for jobs that it handed back."""

    def __init__(self, redis: SyncRedis) -> None:
        self._redis = redis

    def wait(self, tiers: Iterable[str], seconds: float) -> bool:
        """Blocks until somebody rings for one of the tiers, or for `seconds`."""
        return self._redis.blpop([bell_key(tier) for tier in tiers], timeout=seconds) is not None

    def ring(self, tier: str) -> None:
        self._redis.rpush(bell_key(tier), "1")

    def has_rung(self, tier: str) -> bool:
        """Whether a ring is waiting to be heard."""
        return bool(self._redis.exists(bell_key(tier)))
