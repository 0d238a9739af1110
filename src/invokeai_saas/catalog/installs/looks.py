"""How who waits for a second look at a model learns that it has ended: a worker leaves a notice in Redis.

The row is the truth. A notice that is lost costs whoever waits some seconds, in which they look by themselves.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

_KEPT_SECONDS = 300  # a notice that nobody takes
_LOOK_SECONDS = 0.25


def _key(look_id: int) -> str:
    return f"look:{look_id}"


def leave_notice(redis: SyncRedis, look_id: int) -> None:
    """The worker's side: something has become of a look."""
    try:
        redis.set(_key(look_id), 1, ex=_KEPT_SECONDS)
    except RedisError as error:
        log.warning("look_notice_lost", error=repr(error))


async def wait_for_notice(redis: Redis, look_id: int, seconds: float) -> None:
    """Returns when there is a notice, which it takes, and after `seconds` in any case."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            if await redis.getdel(_key(look_id)) is not None:
                return
        except (RedisError, OSError) as error:
            log.warning("look_notices_away", error=repr(error))
            await asyncio.sleep(left)
            return
        await asyncio.sleep(min(_LOOK_SECONDS, left))
