"""Fixed-window rate limits, counted in Redis under `ratelimit:{who}:{what}` for a minute, or as long as told.

A process tells Redis of its calls in batches: of a limit of 300 a minute it counts at most 15 by itself, for at most
a second, before it asks for the sum again. So a busy person's requests don't each wait for Redis, and with N processes
at most N - 1 batches more than the limit get through. Small limits (log-in, sign-up) are asked each time.

With Redis away each process counts for itself: slower to notice, never open. A Redis that takes connections and
says nothing costs one request in a while a moment, not every request.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from invokeai_saas.errors import RateLimited

WINDOW = 60  # seconds
_BATCH_SHARE = 20  # a batch is the limit over this
_BATCH_SECONDS = 1.0
_PATIENCE = 0.5  # seconds that one count may take
_AWAY_FOR = 5.0  # seconds after a failure in which Redis is not asked
_MOST_WINDOWS = 50_000
log = structlog.get_logger(__name__)


@dataclass
class _Window:
    """What this process knows of one window. Moments are of the monotonic clock.

    Parameters:
        ends: when it ends.
        counted: calls so far, of all processes, when we last heard.
        untold: our calls since then.
        heard: when that was.
    """

    ends: float
    counted: int = 0
    untold: int = 0
    heard: float = 0.0


class RateLimiter:
    """Counts calls in a window of time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._windows: dict[str, _Window] = {}
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
        known = self._window(key, window)
        now = time.monotonic()
        room = min(limit - known.counted, limit // _BATCH_SHARE)
        if known.untold < room and now - known.heard < _BATCH_SECONDS:
            known.untold += 1
            return
        calls, known.untold = known.untold + 1, 0
        told = await self._tell(key, calls, window)
        if told is None:
            known.counted += calls
        else:
            known.counted, left = told
            known.ends = now + left
        known.heard = now
        if known.counted > limit:
            raise RateLimited(max(1, int(known.ends - now) + (told is None)))

    def _window(self, key: str, seconds: int) -> _Window:
        """The window that is open now; a new one where the last has ended."""
        now = time.monotonic()
        known = self._windows.get(key)
        if known is None or known.ends <= now:
            if len(self._windows) > _MOST_WINDOWS:
                self._windows = {k: w for k, w in self._windows.items() if w.ends > now}
            known = self._windows[key] = _Window(ends=now + seconds)
        return known

    async def _tell(self, key: str, calls: int, window: int) -> tuple[int, int] | None:
        """Calls so far and seconds left, as Redis counts with ours; None when it does not answer."""
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(_PATIENCE), self._redis.pipeline(transaction=True) as pipe:
                pipe.set(key, 0, ex=window, nx=True)
                pipe.incrby(key, calls)
                pipe.ttl(key)
                _, count, left = await pipe.execute()
        except (RedisError, OSError) as error:
            self._away_until = time.monotonic() + _AWAY_FOR
            log.warning("rate_limit_counts_locally", error=repr(error))
            return None
        return count, left
