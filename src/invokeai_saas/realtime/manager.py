"""The bus between API processes and workers, in the format of python-socketio's Redis manager.

A subscription that breaks loses what is sent until it stands again, while the clients' own connections live on and
nobody tells them. So when it stands again, every client of this process is sent away. It connects anew, to whichever
process, and reads over REST what it may have missed: InvokeAI's page does that on every connect.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import socketio
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from invokeai_saas.batching import Batches

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 1.0
_MOST_WAITING = 10_000  # events that are not sent yet
_SILENCE_SECONDS = 10.0  # then the subscription is asked whether it still stands


class EventManager(socketio.AsyncRedisManager):  # type: ignore[misc]  # the library has no types
    """Connects the processes' servers; a closed room's sockets are disconnected, wherever they are.

    Socket.IO by itself only empties the room, and its `disconnect` wants the socket's id, which nobody but the
    process that holds it knows.
    """

    async def _handle_close_room(self, message: dict[str, Any]) -> None:
        namespace = message.get("namespace")
        for sid, _ in list(self.get_participants(namespace, message.get("room"))):
            await self.server.disconnect(sid, namespace=namespace, ignore_queue=True)

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.connected: bool  # the library's: whether `redis` is good
        self.thread: asyncio.Task[None] | None = None
        self._subscribed: Redis | None = None
        self._outgoing: Batches[str] = Batches("events", self._send, _MOST_WAITING)

    async def _publish(self, data: dict[str, Any]) -> None:
        """Returns at once: nobody's answer waits for other processes' sockets."""
        self._outgoing.add(self.json.dumps(data))

    async def _send(self, due: Sequence[str]) -> None:
        """Tries twice, the second time by a new connection; gives up then, as the library does."""
        for _ in range(2):
            try:
                if not self.connected:
                    self._redis_connect()
                async with self.redis.pipeline(transaction=False) as pipe:
                    for message in due:
                        pipe.publish(self.channel, message)
                    await pipe.execute()
            except (RedisError, OSError) as error:
                log.warning("events_not_published", events=len(due), error=repr(error))
                self.connected = False
            else:
                return

    async def close(self) -> None:
        """Sends what is due, and ends the subscription and the connections."""
        await self._outgoing.close()
        if self.thread is not None:
            self.thread.cancel()
            await asyncio.wait([self.thread])
        for redis in (self._subscribed, self.redis):
            if redis is not None:
                await redis.aclose()

    async def _redis_listen_with_retries(self) -> AsyncIterator[dict[str, Any]]:
        stood_before = False
        while True:
            redis = self._subscribed = Redis.from_url(self.redis_url, socket_connect_timeout=_RETRY_SECONDS)
            try:
                async for message in self._subscription(redis):
                    if message["type"] == "subscribe":
                        if stood_before:
                            await self._send_everybody_away()
                        stood_before = True
                    else:
                        yield message
            except (RedisError, OSError) as error:
                log.warning("events_interrupted", error=repr(error))
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                await redis.aclose()

    async def _subscription(self, redis: Redis) -> AsyncIterator[dict[str, Any]]:
        """What comes in, the confirmation first. Raises ConnectionError when Redis doesn't answer a ping."""
        async with redis.pubsub() as channel:
            await channel.subscribe(self.channel)
            asked = False
            while True:
                message = await channel.get_message(timeout=_SILENCE_SECONDS)
                if message is not None:
                    asked = False
                    yield message
                elif asked:
                    raise ConnectionError("the subscription has fallen silent")
                else:
                    asked = True
                    await channel.ping()

    async def _send_everybody_away(self) -> None:
        """Closes connections, not log-ins: Socket.IO's clients connect again by themselves only then."""
        sockets = list(self.server.eio.sockets.values())
        log.warning("sockets_sent_away", sockets=len(sockets), reason="events may have been missed")
        for socket in sockets:
            await self.server.eio.send_away(socket)
