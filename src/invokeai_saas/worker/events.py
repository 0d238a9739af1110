"""Events from the worker to a person's sockets, in order.

One thread writes to Redis in the format of python-socketio's Redis manager, which every API process reads. Before an
event after which its person reads anew, it says that they are to read from the writer (`db/freshness.py`).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import socketio
import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from invokeai_saas.db.freshness import FRESH_MILLISECONDS, fresh_key
from invokeai_saas.realtime.rooms import person_room, session_room

log = structlog.get_logger(__name__)

# These come by the dozen and change nothing that is kept.
_ONLY_SEEN = frozenset(
    {"invocation_started", "invocation_progress", "model_load_started", "model_load_complete"}
)
_Entry = tuple[str, str, dict[str, Any]]


class EventStream:
    """Sends events from a thread of its own, so that no engine waits for a network.

    Parameters:
        redis_url: where the API's Socket.IO servers listen.
    """

    def __init__(self, redis_url: str) -> None:
        self._manager = socketio.RedisManager(redis_url, channel="socketio", write_only=True)
        # Once more and at once, for a connection that Redis has closed; events wait behind this.
        again = Retry(NoBackoff(), 1)
        self._redis = Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=1, retry=again)
        self._entries: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def emit(self, user_id: str, event: str, payload: dict[str, Any]) -> None:
        """Queues an event for one person."""
        self._entries.put((user_id, event, {"timestamp": int(time.time()), **payload}))

    def end_sessions(self, session_ids: Iterable[UUID]) -> None:
        """Closes the sockets of log-ins that have ended. With Redis away each process finds out by itself."""
        try:
            for session_id in session_ids:
                self._manager.close_room(session_room(session_id))
        except Exception as error:
            log.warning("sockets_not_told", error=repr(error))

    def close(self) -> None:
        """Sends what is left and stops."""
        self._entries.put(None)
        self._thread.join(timeout=10)
        self._redis.close()

    def _run(self) -> None:
        while (entry := self._entries.get()) is not None:
            self._send(*entry)

    def _send(self, user_id: str, event: str, payload: dict[str, Any]) -> None:
        try:
            if event not in _ONLY_SEEN:
                self._mark_fresh(user_id)
            self._manager.emit(event, payload, room=person_room(user_id))
        except Exception as error:
            # Events may be lost: the database is the truth, and the page reads it again when it reconnects.
            log.warning("event_lost", socket_event=event, error=repr(error))

    def _mark_fresh(self, user_id: str) -> None:
        try:
            self._redis.set(fresh_key(user_id), 1, px=FRESH_MILLISECONDS)
        except RedisError as error:
            log.warning("freshness_not_marked", error=repr(error))
