"""The Socket.IO server: authenticates each connection and lets it into its person's room only.

Protocol: InvokeAI's page connects to /ws/socket.io with {token} in the connect packet, then sends
`subscribe_queue` and `subscribe_bulk_download`. Whatever room they name, they get their own.

A socket lives no longer than the log-in that opened it: ending one closes its room, and every process looks by
itself from time to time, for what it was not told (expiry, a message lost).
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import socketio
import structlog
from socketio.exceptions import ConnectionRefusedError as Refused

from invokeai_saas.errors import ServiceError
from invokeai_saas.realtime.bounds import BoundedServer
from invokeai_saas.realtime.manager import EventManager
from invokeai_saas.realtime.rooms import person_room, session_room
from invokeai_saas.services import Services
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)

_LONGEST_MESSAGE = 100_000  # bytes; clients have little to say
_MOST_SOCKETS = 50  # of one person on one process: tabs, windows and programs of theirs


def make_server(settings: Settings) -> BoundedServer:
    """A server whose Redis manager connects it with the workers and the other API processes."""
    manager = EventManager(
        settings.redis_url.get_secret_value(),
        channel="socketio",
        # Of what is published, which no request waits for. What has been sent when time is up is sent once more, and
        # may be heard twice: so it is longer than a busy machine takes.
        redis_options={"socket_connect_timeout": 1, "socket_timeout": 5},
    )
    return BoundedServer(
        async_mode="asgi",
        client_manager=manager,
        # The page is served from our own origin; other origins have no business here.
        cors_allowed_origins=[settings.public_url, *_loopback_origins(settings)],
        max_http_buffer_size=_LONGEST_MESSAGE,
    )


def _loopback_origins(settings: Settings) -> list[str]:
    return [f"http://{name}:{settings.port}" for name in ("127.0.0.1", "localhost")]


class Sockets:
    """The sockets of this process, and what their clients may say: everything else is ignored.

    Parameters:
        server: has its handlers set here.
        services: identity, and how often to look at it.
    """

    def __init__(self, server: socketio.AsyncServer, services: Services) -> None:
        self._server = server
        self._services = services
        self._sessions: dict[str, UUID] = {}  # by socket
        server.on("connect", self._connect)
        server.on("disconnect", self._disconnect)
        for event in ("subscribe_queue", "subscribe_bulk_download"):
            server.on(event, self._subscribe)
        for event in ("unsubscribe_queue", "unsubscribe_bulk_download"):
            server.on(event, self._unsubscribe)

    def count(self) -> int:
        """Sockets that are connected to this process."""
        return len(self._sessions)

    async def watch(self) -> None:
        """Closes sockets whose log-in has ended, every so often, until cancelled."""
        while True:
            await asyncio.sleep(self._services.settings.session_check_seconds)
            try:
                await self.close_ended()
            except Exception as error:
                log.warning("sockets_not_checked", error=repr(error))

    async def close_ended(self) -> None:
        """Closes this process's sockets whose log-in is not alive any more: one query for all of them."""
        held = dict(self._sessions)
        if not held:
            return
        alive = await self._services.identity.alive(set(held.values()))
        for sid, session_id in held.items():
            if session_id not in alive:
                await self._server.disconnect(sid)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: object) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        token = token or environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").strip()
        try:
            person, _ = await self._services.identity.authenticate(str(token or ""))
        except ServiceError as error:
            raise Refused("Connection rejected by server") from error
        room = person_room(person.user_id)
        if len(list(self._server.manager.get_participants("/", room))) >= _MOST_SOCKETS:
            raise Refused("Too many connections are open. Close some of them.")
        await self._server.save_session(sid, {"user_id": str(person.user_id)})
        await self._server.enter_room(sid, room)
        await self._server.enter_room(sid, session_room(person.session_id))
        self._sessions[sid] = person.session_id

    async def _disconnect(self, sid: str, _reason: object = None) -> None:
        self._sessions.pop(sid, None)

    async def _subscribe(self, sid: str, _data: object = None) -> None:
        # The connection is in its room already; asking again does no harm and opens no other door.
        session = await self._server.get_session(sid)
        await self._server.enter_room(sid, person_room(session["user_id"]))

    async def _unsubscribe(self, _sid: str, _data: object = None) -> None:
        """The page unsubscribes when it changes queues; its person's events go on."""
