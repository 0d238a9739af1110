"""A ring wakes an idle worker; it never decides anything and losing one costs only latency.

Which bell there is the settings say: SQS where they name its queues (`queue.sqs`), else a Redis list per tier, on which
workers wait with BLPOP. The list is trimmed, since a ring means "look", and a hundred of them mean no more than one per
idle worker. Requests to stop a running job go by Redis with either.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from redis import Redis as SyncRedis
from redis.asyncio import Redis

from invokeai_saas.batching import Batches

_MOST_RINGS = 64
_MOST_WAITING = 10_000  # calls whose rings are not sent yet
_SECONDS = 2.0  # that sending may take
CANCEL_CHANNEL = "jobs:cancel"
# The most places of one person that fairness weighs. Rings of one group reach one worker at a time, so that a person's
# rings are spread over as many groups.
_LANES = 8


class Ring(NamedTuple):
    """One job that could start.

    Parameters:
        group: person and lane: whose rings are heard one after the other.
        job: the job and its attempt, as far as whoever rings knows them.
    """

    group: str
    job: str


def rings_of(user_id: UUID, batch_id: UUID, jobs: int) -> list[Ring]:
    """A ring for each job of a new batch."""
    return [Ring(f"{user_id}:{n % _LANES}", f"{batch_id}:{n}:1") for n in range(jobs)]


def ring_again(user_id: UUID, item_id: int) -> Ring:
    """A ring for a job that waits once more."""
    return Ring(f"{user_id}:{item_id % _LANES}", f"{item_id}:again")


class Bell(Protocol):
    """The API's side."""

    async def ring(self, tier: str, rings: Sequence[Ring]) -> None:
        """Wakes up to as many idle workers of a tier."""

    async def close(self) -> None:
        """Ends what is under way."""


class WorkerBell(Protocol):
    """The worker's and the scheduler's side: waits, and rings for jobs that were handed back or wait for long.

    Raises RedisError or Unavailable when the bell is away.
    """

    def wait(self, tiers: Sequence[str], seconds: float) -> bool:
        """Blocks until somebody rings for one of the tiers, or for `seconds`; whether somebody has rung."""

    def claimed(self, tier: str) -> None:
        """A job of the tier has been claimed: the ring that was for it is of no use any more."""

    def ring(self, tier: str, ring: Ring) -> None:
        """Wakes one worker."""

    def has_rung(self, tier: str) -> bool:
        """Whether a ring is waiting to be heard."""

    def close(self) -> None:
        """Lets go of its connections."""


def bell_key(tier: str) -> str:
    """The Redis list of a tier."""
    return f"doorbell:{tier}"


class RedisBell:
    """Rings by Redis; nobody's answer waits for that."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._due: Batches[tuple[str, int]] = Batches("rings", self._push, _MOST_WAITING)

    async def ring(self, tier: str, rings: Sequence[Ring]) -> None:
        """Returns at once."""
        if rings:
            self._due.add((tier, len(rings)))

    async def _push(self, due: Sequence[tuple[str, int]]) -> None:
        sums: Counter[str] = Counter()
        for tier, rings in due:
            sums[tier] += rings
        async with asyncio.timeout(_SECONDS), self._redis.pipeline(transaction=False) as pipe:
            for tier, rings in sums.items():
                pipe.rpush(bell_key(tier), *(["1"] * min(rings, _MOST_RINGS)))
                pipe.ltrim(bell_key(tier), 0, _MOST_RINGS - 1)
            await pipe.execute()

    async def close(self) -> None:
        """Sends what is due; the connections are the process's own."""
        await self._due.close()


class RedisWorkerBell:
    """Waits on the Redis lists of its tiers."""

    def __init__(self, redis: SyncRedis) -> None:
        self._redis = redis

    def wait(self, tiers: Iterable[str], seconds: float) -> bool:
        return self._redis.blpop([bell_key(tier) for tier in tiers], timeout=seconds) is not None

    def claimed(self, tier: str) -> None:
        """The list is short, and nobody measures it."""

    def ring(self, tier: str, ring: Ring) -> None:  # noqa: ARG002 - all rings are alike here
        self._redis.rpush(bell_key(tier), "1")

    def has_rung(self, tier: str) -> bool:
        return bool(self._redis.exists(bell_key(tier)))

    def close(self) -> None:
        """The connections are the process's own."""


async def ask_to_cancel(redis: Redis, item_id: int) -> None:
    """Tells the worker that runs a job to stop it now; its next heartbeat would tell it anyway."""
    await redis.publish(CANCEL_CHANNEL, str(item_id))
