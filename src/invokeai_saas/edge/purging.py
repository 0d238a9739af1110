"""The scheduler's part in deleting files: out of the store, and then out of every cache before it.

In this order, since a cache that was purged while the store still had the file could fetch it again. No transaction is
open meanwhile. Whatever ends the process on the way, the rows are there, and the same is sent again under the same
reference.
"""

from __future__ import annotations

import threading

import psycopg
import structlog

from invokeai_saas.edge.adapters import NotPurged, open_edge
from invokeai_saas.edge.paths import next_purge
from invokeai_saas.edge.records import EdgeRecords, Removed
from invokeai_saas.errors import Unavailable
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore

log = structlog.get_logger(__name__)
_LEASE = 120.0  # seconds
_LIMIT = 100  # rows of a batch
_SOONEST, _LATEST = 15.0, 600.0  # seconds until what failed is tried again: ever more slowly
# Seconds after which a purge is no more tried: the edge keeps nothing longer than an hour (modules/cloudfront).
GIVE_UP = 86_400.0


class EdgePurger:
    """Works in a thread of its own: store and edge may take their time.

    Parameters:
        settings: whose billing role, and whose edge.
    """

    def __init__(self, settings: Settings, objects: ObjectStore) -> None:
        self._url = settings.database_billing_url.get_secret_value()
        self._records = EdgeRecords(self._url)
        self._objects = objects
        self._edge = open_edge(settings)
        self._round: threading.Thread | None = None
        self._stopping = threading.Event()

    def begin(self) -> None:
        """Starts a round, unless the last one still runs."""
        if self._url and (self._round is None or not self._round.is_alive()):
            self._round = threading.Thread(target=self._run, name="edge", daemon=True)
            self._round.start()

    def _run(self) -> None:
        try:
            self.look()
        except psycopg.Error as error:
            log.warning("edge_waits", error=repr(error))
            self._records.close()

    def look(self) -> None:
        """Does what is due, until there is nothing or something was refused.

        Raises:
            psycopg.Error: the database went away.
        """
        while not self._stopping.is_set() and (rows := self._records.claim(_LEASE, _LIMIT)):
            try:
                self._forget(rows)
            except (NotPurged, Unavailable) as error:
                seconds = min(_LATEST, _SOONEST * 2 ** min(rows[0].tries - 1, 10))
                log.warning("purge_waits", error=str(error), rows=len(rows), seconds=seconds)
                self._records.wait(rows[0].batch, seconds)
                return

    def _forget(self, rows: list[Removed]) -> None:
        """Raises NotPurged, Unavailable."""
        self._objects.delete_sync([key for row in rows for key in row.keys])
        left = rows
        while left and not self._stopping.is_set():
            purge = next_purge(left)
            try:
                self._edge.purge(purge.reference(), purge.paths)
            except NotPurged as error:
                if min(row.age for row in left) < GIVE_UP:
                    raise
                log.error("purge_given_up", error=str(error), paths=len(purge.paths))
            self._records.done(left[0].batch, purge.ids)
            left = [row for row in left if row.id not in set(purge.ids)]

    def close(self) -> None:
        """Lets the purge in hand end."""
        self._stopping.set()
        if self._round is not None:
            self._round.join(timeout=30)
        self._edge.close()
        self._records.close()
