"""Events from the worker to a person's sockets, in order.

One thread writes to Redis in the format of python-socketio's Redis manager, which every API process reads.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

import socketio
import structlog

from invokeai_saas.realtime.rooms import person_room

log = structlog.get_logger(__name__)

_Entry = tuple[str, str, dict[str, Any]]


class EventStream:
    """Sends events from a thread of its own, so that no engine waits for a network.

    Parameters:
        redis_url: where the API's Socket.IO servers listen.
    """

    def __init__(self, redis_url: str) -> None:
        self._manager = socketio.RedisManager(redis_url, channel="socketio", write_only=True)
        self._entries: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def emit(self, user_id: str, event: str, payload: dict[str, Any]) -> None:
        """Queues an event for one person."""
        self._entries.put((user_id, event, {"timestamp": int(time.time()), **payload}))

    def close(self) -> None:
        """Sends what is left and stops."""
        self._entries.put(None)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while (entry := self._entries.get()) is not None:
            self._send(*entry)

    def _send(self, user_id: str, event: str, payload: dict[str, Any]) -> None:
        try:
            self._manager.emit(event, payload, room=person_room(user_id))
        except Exception as error:
            # Events may be lost: the database is the truth, and the page reads it again when it reconnects.
            log.warning("event_lost", socket_event=event, error=repr(error))
