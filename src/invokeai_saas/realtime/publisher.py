"""From API requests to sockets on every API process: a person's events, and the end of a log-in."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any
from uuid import UUID

import socketio

from invokeai_saas.realtime.rooms import person_room, session_room


class Publisher:
    """Emits through the process's Socket.IO server, whose Redis manager reaches every API process."""

    def __init__(self, server: socketio.AsyncServer) -> None:
        self._server = server

    async def publish(self, user_id: UUID, event: str, payload: dict[str, Any]) -> None:
        """Sends one event of InvokeAI's contract to one person. The timestamp is added here."""
        await self._server.emit(event, {"timestamp": int(time.time()), **payload}, room=person_room(user_id))

    async def publish_to_all(self, user_ids: Collection[UUID], event: str, payload: dict[str, Any]) -> None:
        """Sends one event to several people: colleagues who see the same thing. Each has a room of their own."""
        for user_id in user_ids:
            await self.publish(user_id, event, payload)

    async def end_sessions(self, session_ids: Collection[UUID]) -> None:
        """Closes the sockets of log-ins that have ended."""
        for session_id in session_ids:
            await self._server.close_room(session_room(session_id))
