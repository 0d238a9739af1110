"""Fixed-window rate limits, counted in Redis under `ratelimit:{who}:{what}` for a minute, or as long as told.

With Redis away each process counts for itself: slower to notice, never open. A Redis that takes connections and
says nothing costs one request in a while a moment, not every request.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from invokeai_saas.errors import RateLimited

WINDOW = 60  # seconds
_PATIENCE = 0.5  # seconds that one count may take
_AWAY_FOR = 5.0  # seconds after a failure in which Redis is not asked
log = structlog.get_logger(__name__)


class RateLimiter:
    """Counts calls in a window of time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._local: dict[str, tuple[int, float]] = {}
        self._away_until = 0.0

    async def check(self, who: str, what: str, limit: int, window: int = WINDOW) -> None:
        """Counts one call.

        Parameters:
            who: a person's id, or an account and address.
            what: the thing limited.
            limit: calls in a window.
            window: seconds.

        Raises:
            RateLimited: the limit is passed; says in how many seconds the window ends.
        """
        key = f"ratelimit:{who}:{what}"
        count, left = await self._count(key, window) or self._count_locally(key, window)
        if count > limit:
            raise RateLimited(max(1, left))

    async def _count(self, key: str, window: int) -> tuple[int, int] | None:
        """Calls so far and seconds left, as Redis counts; None when it does not answer."""
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(_PATIENCE), self._redis.pipeline(transaction=True) as pipe:
                pipe.set(key, 0, ex=window, nx=True)
                pipe.incr(key)
                pipe.ttl(key)
                _, count, left = await pipe.execute()
        except (RedisError, OSError) as error:
            self._away_until = time.monotonic() + _AWAY_FOR
            log.warning("rate_limit_counts_locally", error=repr(error))
            return None
        return count, left

    def _count_locally(self, key: str, window: int) -> tuple[int, int]:
        now = time.monotonic()
        if len(self._local) > 50_000:
            self._local = {k: v for k, v in self._local.items() if v[1] > now}
        count, ends = self._local.get(key, (0, 0.0))
        if ends <= now:
            count, ends = 0, now + window
        self._local[key] = (count + 1, ends)
        return count + 1, int(ends - now) + 1
