"""How much an install may take: of a model, of its person's plan, and of this machine's disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from invokeai_saas.catalog.installs.claims import InstallClaims, InstallJob
from invokeai_saas.catalog.installs.fetching import SourceRefused
from invokeai_saas.catalog.installs.parts import Part, expected
from invokeai_saas.errors import StorageQuotaExceeded, Unavailable

_SPARE_BYTES = 2**30  # of the disk, that are left alone
NO_DISK = "There is no room for this download right now."


class Room:
    """Looked at before a file, with every heartbeat, and once all have come.

    What the install will take is counted as taken in the database, one install of a person after the other, so that
    two at once do not take the same room; and what was there when the download began is not believed for long.

    Parameters:
        most: bytes that any model may have.
        folder: on the disk that files come to.
    """

    def __init__(self, claims: InstallClaims, job: InstallJob, most: int, folder: Path) -> None:
        self._claims, self._job, self._most, self._folder = claims, job, most, folder
        self._limit = most if job.room is None else min(most, job.room)

    def ask(self, parts: Sequence[Part]) -> bool:
        """Asks the database again; whether what is to come has room. Raises psycopg.OperationalError."""
        total = expected(parts)
        if total <= self._most:  # what nobody may have is not counted as taken from its person
            room = self._claims.reserve(self._job, total)
            self._limit = self._most if room is None else min(self._most, room)
        return total <= self._limit

    def require(self, parts: Sequence[Part]) -> None:
        """Refuses what is known to be too much, by what was last asked.

        Raises:
            StorageQuotaExceeded: the plan has no room for it.
            SourceRefused: it is more than any model may have.
        """
        size = expected(parts)
        if size <= self._limit:
            return
        if self._limit < self._most:
            raise StorageQuotaExceeded(
                size,
                self._limit,
                f"The model has {size:,} bytes or more, and your plan's storage has {self._limit:,} left."
                " Delete pictures or models, or choose a plan with more storage.",
            )
        raise SourceRefused(f"A model may have {self._most:,} bytes; this one has more.")

    def require_disk(self, part: Part) -> None:
        """Raises Unavailable when this machine's disk cannot hold the rest of a file."""
        to_come = max(0, part["total_bytes"] - part["bytes"])
        if shutil.disk_usage(self._folder).free < to_come + _SPARE_BYTES:
            raise Unavailable(NO_DISK)
