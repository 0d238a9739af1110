"""The Socket.IO server: authenticates each connection and lets it into its person's room only.

Protocol: InvokeAI's page connects to /ws/socket.io with {token} in the connect packet, then sends
`subscribe_queue` and `subscribe_bulk_download`. Whatever room they name, they get their own.
"""

from __future__ import annotations

from typing import Any

import socketio
import structlog
from socketio.exceptions import ConnectionRefusedError as Refused

from invokeai_saas.errors import ServiceError
from invokeai_saas.realtime.rooms import person_room
from invokeai_saas.services import Services
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)


def make_server(settings: Settings) -> socketio.AsyncServer:
    """A server whose Redis manager connects it with the workers and the other API processes."""
    manager = socketio.AsyncRedisManager(settings.redis_url.get_secret_value(), channel="socketio")
    return socketio.AsyncServer(
        async_mode="asgi",
        client_manager=manager,
        # The page is served from our own origin; other origins have no business here.
        cors_allowed_origins=[settings.public_url, *_loopback_origins(settings)],
        max_http_buffer_size=1_000_000,
    )


def _loopback_origins(settings: Settings) -> list[str]:
    return [f"http://{name}:{settings.port}" for name in ("127.0.0.1", "localhost")]


def attach_handlers(server: socketio.AsyncServer, services: Services) -> None:
    """Registers what clients may say. Everything but these is ignored."""

    async def connect(sid: str, environ: dict[str, Any], auth: object) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        token = token or environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").strip()
        try:
            person, _ = await services.identity.authenticate(str(token or ""))
        except ServiceError as error:
            raise Refused("Connection rejected by server") from error
        await server.save_session(sid, {"user_id": str(person.user_id)})
        await server.enter_room(sid, person_room(person.user_id))

    async def subscribe(sid: str, _data: object = None) -> None:
        # The connection is in its room already; asking again does no harm and opens no other door.
        session = await server.get_session(sid)
        await server.enter_room(sid, person_room(session["user_id"]))

    async def unsubscribe(_sid: str, _data: object = None) -> None:
        """The page unsubscribes when it changes queues; its person's events go on."""

    server.on("connect", connect)
    for event in ("subscribe_queue", "subscribe_bulk_download"):
        server.on(event, subscribe)
    for event in ("unsubscribe_queue", "unsubscribe_bulk_download"):
        server.on(event, unsubscribe)
