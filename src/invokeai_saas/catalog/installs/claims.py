"""Installs as those see them who do the work: the scheduler downloads, a worker identifies. Synchronous, as they are.

Everything here is a definer function of the database, called in the role of a worker.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from invokeai_saas.db.standing import StandingConnection
from invokeai_saas.storage.keys import model_prefix

Stage = Literal["download", "identify"]
Beat = Literal["ok", "paused", "cancelled", "lost"]
TRIES = 3  # claims of one stage whose process died before it is given up


@dataclass(frozen=True)
class InstallJob:
    """An install in hand, under a lease.

    Parameters:
        shared: for everybody, by one of our staff.
        kind: "install", "identify" for a new look at what is installed, or "convert" to make a folder of it.
        config_out: the record, once it has been converted.
        given_up: it was claimed too often; what is left is to clean up behind it. `error` says so to its person.
        room: bytes that the person may store beside what they have; None for no limit, negative when their plan
            has no models of one's own any more.
    """

    id: int
    user_id: UUID
    shared: bool
    kind: str
    source: dict[str, Any]
    access_token: str | None
    config_in: dict[str, Any]
    model_key: str
    parts: list[dict[str, Any]]
    config_out: dict[str, Any] | None
    claim: UUID
    error: str | None
    given_up: bool
    room: int | None

    @property
    def prefix(self) -> str:
        """Where its files lie in the object store; its path in records."""
        return model_prefix(None if self.shared else self.user_id, self.model_key)

    def event(self, **more: Any) -> dict[str, Any]:
        """What every event of an install says."""
        return {"id": self.id, "source": self.source, **more}


class InstallClaims(StandingConnection):
    """What the worker role does to installs."""

    application = "installs"

    def sibling(self) -> InstallClaims:
        """Another connection of the same role."""
        return InstallClaims(self._url)

    def claim(self, stage: Stage, lease: float) -> InstallJob | None:
        """The next install of a stage, or None. Parameters: lease: seconds."""
        rows = self._rows("SELECT * FROM install_claim(%s, %s, %s)", [stage, lease, TRIES])
        if not rows:
            return None
        row = rows[0]
        room = None
        if not row["shared"]:
            room = self._value("SELECT install_room(%s, %s)", [row["user_id"], row["id"]])
        names = InstallJob.__dataclass_fields__.keys() - {"given_up", "room"}
        return InstallJob(**{name: row[name] for name in names}, given_up=row["status"] == "error", room=room)

    def beat(
        self,
        job: InstallJob,
        lease: float,
        parts: list[dict[str, Any]] | None = None,
        bytes_: int | None = None,
        total: int | None = None,
    ) -> Beat:
        """Prolongs the lease and leaves how far it is. Anything but "ok": the install is out of hand."""
        given = Jsonb(parts) if parts is not None else None
        answer: Beat = self._value(
            "SELECT install_beat(%s, %s, %s, %s, %s, %s)", [job.id, job.claim, lease, given, bytes_, total]
        )
        return answer

    def downloaded(self, job: InstallJob, parts: list[dict[str, Any]], bytes_: int) -> bool:
        """False when the install is not this claim's any more."""
        query: LiteralString = "SELECT install_downloaded(%s, %s, %s, %s)"
        return bool(self._value(query, [job.id, job.claim, Jsonb(parts), bytes_]))

    def fail(self, job: InstallJob, error_type: str, error: str) -> bool:
        return bool(
            self._value("SELECT install_fail(%s, %s, %s, %s)", [job.id, job.claim, error_type, error])
        )

    def hand_back(self, job: InstallJob, why: str | None) -> str | None:
        """It is tried again later; after the last of TRIES it has failed, and what it ended with is answered.

        Parameters:
            why: what was away, as a sentence; None when this process is going: that time does not count.
        """
        error = (
            f"{why} It was tried {TRIES} times. Restart it later: files that have come are kept."
            if why
            else None
        )
        became = self._value("SELECT install_return(%s, %s, %s, %s)", [job.id, job.claim, TRIES, error])
        return error if became == "error" else None

    def reserve(self, job: InstallJob, total: int) -> int | None:
        """Counts bytes as taken from the person's room if they fit; answers the room, None for no limit."""
        room: int | None = self._value("SELECT install_reserve(%s, %s, %s)", [job.id, job.claim, total])
        return room

    def on_disk(self, ids: Sequence[int]) -> set[int]:
        """Which of these installs may still go on with what they have on a scheduler's disk."""
        rows = self._rows("SELECT * FROM install_on_disk(%s::bigint[])", [list(ids)])
        return {row["install_on_disk"] for row in rows}

    def finish(
        self, job: InstallJob, record: dict[str, Any], files: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Registers the model; answers its record, None when the install is not this claim's any more."""
        query: LiteralString = "SELECT install_finish(%s, %s, %s, %s)"
        # The database cannot hold the NUL character: it is left out of texts.
        text = Jsonb(record, dumps=lambda value: json.dumps(value).replace("\\u0000", ""))
        found: dict[str, Any] | None = self._value(query, [job.id, job.claim, text, Jsonb(files)])
        return found

    def convert(
        self, job: InstallJob, record: dict[str, Any], files: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Turns the model to its new files; answers its record, None when job or model are not what they were."""
        query: LiteralString = "SELECT install_convert(%s, %s, %s, %s)"
        found: dict[str, Any] | None = self._value(query, [job.id, job.claim, Jsonb(record), Jsonb(files)])
        return found

    def converted(self, job: InstallJob) -> bool:
        """The old files are gone: the conversion has ended."""
        return bool(self._value("SELECT install_converted(%s, %s)", [job.id, job.claim]))

    def file_lists(self, after: str, limit: int) -> list[DictRow]:
        """key, files and missing of models whose files the object store holds, in order of keys."""
        return self._rows("SELECT * FROM catalog_file_lists(%s, %s)", [after, limit])

    def mark_missing(self, key: str, missing: bool) -> None:
        self._rows("SELECT catalog_mark_missing(%s, %s)", [key, missing])
