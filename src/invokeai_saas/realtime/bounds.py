"""What one connection may cost: how much waits for it, and how long it may stand open without a log-in.

Engine.IO keeps what it has to send to a client in a queue without an end. A client that reads nothing, by malice or
because its network has gone, would have everything held for it until its pings are missed; one that answers pings and
reads no more, for ever. Here such a client is dropped. It connects again and reads the state anew.
"""

from __future__ import annotations

import asyncio
from typing import Any

import engineio
import socketio
import structlog

log = structlog.get_logger(__name__)

MOST_BYTES = 4 * 1024 * 1024  # waiting for one client: some hundred previews
MOST_PACKETS = 2000
LOG_IN_SECONDS = 15.0  # from the connection to a log-in that was accepted


class Outgoing(asyncio.Queue[Any]):
    """What waits to be sent to one client, and how many bytes that is."""

    def __init__(self) -> None:
        super().__init__()
        self.held = 0

    def _get(self) -> Any:
        packet = super()._get()
        self.held -= _size(packet)
        return packet

    def _put(self, packet: Any) -> None:
        self.held += _size(packet)
        super()._put(packet)

    @property
    def full_up(self) -> bool:
        """Whether its client has stopped reading, as far as can be told from here."""
        return self.held > MOST_BYTES or self.qsize() > MOST_PACKETS


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, (str, bytes)) else 0


class BoundedEngine(engineio.AsyncServer):  # type: ignore[misc]  # the library has no types
    """Engine.IO whose clients are dropped when they don't read what they are sent."""

    def create_queue(self, *_arguments: Any, **_options: Any) -> Outgoing:
        return Outgoing()

    async def send_packet(self, sid: str, pkt: Any) -> None:
        socket = self.sockets.get(sid)
        if socket is not None and socket.queue.full_up and not socket.closed:
            log.warning("socket_dropped", reason="reads nothing", bytes=socket.queue.held)
            await self.drop(socket)
            return
        await super().send_packet(sid, pkt)

    async def send_away(self, socket: Any) -> None:
        """Ends a connection after what waits for it, so that its client connects again.

        Without Engine.IO's farewell: Socket.IO's clients take that for the end of a log-in (python-socketio) or,
        over a WebSocket, take no notice of it (browsers). A connection that breaks off they make anew.
        """
        await socket.close(wait=False, abort=True, reason=self.reason.SERVER_DISCONNECT)
        socket.queue.put_nowait(None)  # ends its writer, which closes the WebSocket

    async def drop(self, socket: Any) -> None:
        """Ends a connection without waiting for its client, and forgets what it was to be sent."""
        await socket.close(wait=False, abort=True, reason=self.reason.TRANSPORT_ERROR)
        while not socket.queue.empty():
            socket.queue.get_nowait()
        socket.queue.put_nowait(None)  # ends its writer, if that is not waiting for the network
        self.sockets.pop(socket.sid, None)


class BoundedServer(socketio.AsyncServer):  # type: ignore[misc]
    """Socket.IO over a bounded Engine.IO. A connection that doesn't log in is closed."""

    def _engineio_server_class(self) -> type[BoundedEngine]:
        return BoundedEngine

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        self.start_background_task(self._expect_log_in, eio_sid)

    async def _expect_log_in(self, eio_sid: str) -> None:
        await asyncio.sleep(LOG_IN_SECONDS)
        if self.manager.sid_from_eio_sid(eio_sid, "/") is None:
            socket = self.eio.sockets.get(eio_sid)
            if socket is not None:
                await self.eio.send_away(socket)
