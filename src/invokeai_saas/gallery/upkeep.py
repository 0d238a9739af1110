"""What the scheduler clears away: downloads that died or whose time is over, and files that no row names."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import structlog

from invokeai_saas.gallery import upkeep_repository as repository
from invokeai_saas.gallery.downloads import events
from invokeai_saas.queue.claims import Claims
from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.worker.events import EventStream

log = structlog.get_logger(__name__)
_BATCH = 500
# The folders whose files the gallery's rows name. Whatever else a person may have is not ours to judge.
_OURS = re.compile(r"users/[^/]+/(images(/thumbnails)?|downloads)/[^/]+")
_PEOPLE = "users/"
_SILENT = "The server that prepared this download went away. Please try again."


class GalleryUpkeep:
    """Each method does a bounded piece of work and can be called again at any time, by any number of schedulers.

    Parameters:
        orphan_age: seconds that a file without a row may be young; longer than any job or upload takes.
    """

    def __init__(self, claims: Claims, objects: ObjectStore, events: EventStream, orphan_age: float) -> None:
        self._claims = claims
        self._objects = objects
        self._events = events
        self._orphan_age = timedelta(seconds=orphan_age)
        self._last: str | None = None  # the key up to which files were looked at

    def reap_downloads(self) -> None:
        """Ends downloads whose process went silent, and tells their people."""
        with self._claims.transaction() as connection:
            reaped = repository.reap_downloads(connection, _BATCH)
        for user_id, item_name in reaped:
            log.warning("download_reaped", tenant=str(user_id))
            told = events.payload(user_id, item_name) | {"error": _SILENT}
            self._events.emit(str(user_id), "bulk_download_error", told)

    def drop_downloads(self) -> None:
        """Deletes downloads whose time is over."""
        with self._claims.transaction() as connection:
            keys = repository.drop_downloads(connection, _BATCH)
        # Rows first: what is left over when the store is away is a file without a row, which the sweep finds.
        self._objects.delete_sync(keys)

    def sweep(self) -> None:
        """Looks at the next files in the order of their keys, and deletes old ones that no row names."""
        found = self._objects.list_sync(_PEOPLE, self._last, _BATCH)
        self._last = found[-1].key if len(found) == _BATCH else None
        before = datetime.now(UTC) - self._orphan_age
        old = [file.key for file in found if file.modified < before and _OURS.fullmatch(file.key)]
        if not old:
            return
        with self._claims.transaction() as connection:
            unnamed = repository.unnamed_files(connection, old)
        if unnamed:
            log.info("orphans_deleted", files=len(unnamed))
            self._objects.delete_sync(unnamed)
