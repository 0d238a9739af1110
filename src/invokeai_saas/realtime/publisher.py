"""Events from API requests to the person's own sockets."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import socketio

from invokeai_saas.realtime.rooms import person_room


class Publisher:
    """Emits through the process's Socket.IO server, whose Redis manager reaches every API process."""

    def __init__(self, server: socketio.AsyncServer) -> None:
        self._server = server

    async def publish(self, user_id: UUID, event: str, payload: dict[str, Any]) -> None:
        """Sends one event of InvokeAI's contract to one person. The timestamp is added here."""
        await self._server.emit(event, {"timestamp": int(time.time()), **payload}, room=person_room(user_id))
