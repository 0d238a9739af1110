"""Socket.IO rooms: a person's, which their events go to, and a log-in's, which is closed when it ends."""

from __future__ import annotations

from uuid import UUID

SOCKET_PATH = "ws/socket.io"


def person_room(user_id: UUID | str) -> str:
    """The room of one person's sockets, on every API process."""
    return f"user:{user_id}"


def session_room(session_id: UUID | str) -> str:
    """The room of the sockets that one log-in opened, on every API process."""
    return f"session:{session_id}"
