"""Socket.IO rooms: only a person's own."""

from __future__ import annotations

from uuid import UUID

SOCKET_PATH = "ws/socket.io"


def person_room(user_id: UUID | str) -> str:
    """The room of one person's sockets, on every API process."""
    return f"user:{user_id}"
