"""Who reads from the writer for a moment: a person who has just written, or was just sent an event.

A reader lags behind the writer by milliseconds to a second. The page reads its lists anew when an event comes, on
whichever API process: without this it would show what was there before the event. `fresh:{user_id}` stands in Redis
for two seconds, set before the event is sent and before the answer to a write, and looked at by every read where there
is a reader apart from the writer; elsewhere it is neither set by the API nor looked at.
"""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

FRESH_MILLISECONDS = 2000
_PATIENCE = 0.5  # seconds that Redis may take
_AWAY_FOR = 5.0  # seconds after a failure in which Redis is not asked
log = structlog.get_logger(__name__)


def fresh_key(user_id: UUID | str) -> str:
    """The Redis key that stands while a person reads from the writer."""
    return f"fresh:{user_id}"


class Freshness:
    """Made only where there is a reader apart from the writer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._away_until = 0.0

    async def mark(self, user_id: UUID) -> None:
        """From now on, and for two seconds, this person reads what is true now."""
        if time.monotonic() < self._away_until:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._redis.set(fresh_key(user_id), 1, px=FRESH_MILLISECONDS)
        except (RedisError, OSError) as error:
            self._away(error)

    async def wanted(self, user_id: UUID) -> bool:
        """Whether this person reads from the writer now. With Redis away everybody does: slower, never wrong."""
        if time.monotonic() < self._away_until:
            return True
        try:
            async with asyncio.timeout(_PATIENCE):
                return bool(await self._redis.exists(fresh_key(user_id)))
        except (RedisError, OSError) as error:
            self._away(error)
            return True

    def _away(self, error: Exception) -> None:
        self._away_until = time.monotonic() + _AWAY_FOR
        log.warning("everybody_reads_from_the_writer", seconds=_AWAY_FOR, error=repr(error))
