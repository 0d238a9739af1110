"""Fixed-window rate limits, counted in Redis under `ratelimit:{who}:{what}` for one minute.

With Redis away each process counts for itself: slower to notice, never open.
"""

from __future__ import annotations

import time

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from invokeai_saas.errors import RateLimited

WINDOW = 60  # seconds
log = structlog.get_logger(__name__)


class RateLimiter:
    """Counts calls per minute."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._local: dict[str, tuple[int, float]] = {}

    async def check(self, who: str, what: str, limit: int) -> None:
        """Counts one call.

        Parameters:
            who: a person's id, or an account and address.
            what: the thing limited.
            limit: calls per minute.

        Raises:
            RateLimited: the limit is passed; says in how many seconds the window ends.
        """
        key = f"ratelimit:{who}:{what}"
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(key, 0, ex=WINDOW, nx=True)
                pipe.incr(key)
                pipe.ttl(key)
                _, count, left = await pipe.execute()
        except (RedisError, OSError) as error:
            log.warning("rate_limit_counts_locally", error=repr(error))
            count, left = self._count_locally(key)
        if count > limit:
            raise RateLimited(max(1, left))

    def _count_locally(self, key: str) -> tuple[int, int]:
        now = time.monotonic()
        if len(self._local) > 50_000:
            self._local = {k: v for k, v in self._local.items() if v[1] > now}
        count, ends = self._local.get(key, (0, 0.0))
        if ends <= now:
            count, ends = 0, now + WINDOW
        self._local[key] = (count + 1, ends)
        return count + 1, int(ends - now) + 1
