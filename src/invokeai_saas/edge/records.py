"""The scheduler's SQL of deleted files: functions of the schema's owner, called with the billing role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from invokeai_saas.db.standing import StandingConnection


class Removed(NamedTuple):
    """Files of one person.

    Parameters:
        folder: theirs, with the slash at its end.
        keys: of the files; none: everything below the folder.
        tries: how often its batch was taken in hand, now included.
        age: seconds since they were deleted.
    """

    batch: UUID
    id: int
    folder: str
    keys: list[str]
    tries: int
    age: float


class EdgeRecords(StandingConnection):
    """What the billing role does to what is to be purged."""

    application = "edge"

    def claim(self, lease: float, limit: int) -> list[Removed]:
        """The next batch that is due, in the order of its deletions; empty when none is. Parameters: lease: seconds."""
        rows = self._rows("SELECT * FROM edge_claim(%s, %s) ORDER BY id", [lease, limit])
        return [Removed(**row) for row in rows]

    def done(self, batch: UUID, ids: Sequence[int]) -> None:
        """Forgets what no cache has any more."""
        self._rows("SELECT edge_done(%s, %s)", [batch, list(ids)])

    def wait(self, batch: UUID, seconds: float) -> None:
        """Lets go of a batch for so long."""
        self._rows("SELECT edge_wait(%s, %s)", [batch, seconds])
