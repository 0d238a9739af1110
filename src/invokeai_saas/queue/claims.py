"""The worker's side of the queue: claim, heartbeat, finish. Synchronous, as the worker is.

Everything here is a definer function of the database; the worker role has no other way to a person's rows, but
for reading what the job in hand may read, in that job's tenant context.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from invokeai_saas.db.standing import StandingConnection

Heartbeat = Literal["ok", "cancel", "spent", "lost"]


@dataclass(frozen=True)
class Claim:
    """One attempt at one job, under a lease."""

    attempt_id: UUID
    attempt_number: int
    item_id: int
    user_id: UUID
    batch_id: UUID
    session_id: UUID
    origin: str | None
    destination: str | None
    graph: dict[str, Any]
    workflow: dict[str, Any] | None
    field_values: list[dict[str, Any]] | None
    name_key: bytes
    created_at: datetime
    status_sequence: int
    credits_per_second: Decimal


class Finished(NamedTuple):
    """What a finish did. `accepted` is false when the attempt was no longer the current one."""

    accepted: bool
    charged: int
    status_sequence: int


class Reaped(NamedTuple):
    """A job whose worker went silent, and what became of it."""

    item_id: int
    user_id: UUID
    tier: str
    status: str
    status_sequence: int
    batch_id: UUID


def _jsonb(value: object) -> Jsonb | None:
    """JSON for the database, which cannot hold the NUL character: it is left out of texts."""
    return None if value is None else Jsonb(value, dumps=lambda v: json.dumps(v).replace("\\u0000", ""))


class Claims(StandingConnection):
    """What the worker role does to jobs."""

    application = "worker"

    def sibling(self) -> Claims:
        """Another connection of the same role, for another thread."""
        return Claims(self._url)

    @contextmanager
    def tenant(self, user_id: UUID) -> Iterator[psycopg.Connection[DictRow]]:
        """A transaction that reads what one person may see."""
        with self.transaction() as connection:
            connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(user_id)])
            yield connection

    def claim(
        self, tier: str, worker: str, loaded: Sequence[str], lease: float, affinity: float, deadline: float
    ) -> Claim | None:
        """The next job of a tier, or None.

        Parameters:
            loaded: keys of the models this worker holds.
            lease: seconds until the job is given to another worker unless a heartbeat comes.
            affinity: how far (credits per lane weight) a lane may be preferred for its model.
            deadline: seconds that the job may run at all.
        """
        row = self._row(
            "SELECT * FROM queue_claim(%s, %s, %s::text[], %s, %s, %s)",
            [tier, worker, list(loaded), lease, affinity, deadline],
        )
        return Claim(**row) if row else None

    def heartbeat(self, attempt: UUID, lease: float, seconds: float, ahead: float) -> Heartbeat:
        """Prolongs the lease. Parameters: seconds: run so far; ahead: until the next heartbeat, at the latest."""
        row = self._row("SELECT queue_heartbeat(%s, %s, %s, %s) AS answer", [attempt, lease, seconds, ahead])
        assert row is not None
        answer: Heartbeat = row["answer"]
        return answer

    def finish(
        self,
        attempt: UUID,
        outcome: str,
        seconds: float,
        session: dict[str, Any] | None,
        images: Sequence[dict[str, Any]] = (),
        error: tuple[str | None, str | None, str | None] = (None, None, None),
    ) -> Finished:
        """Ends the attempt's job: state, pictures, lane, money and usage in one transaction.

        Parameters:
            outcome: completed, failed or canceled.
            seconds: metered wall time on the GPU.
            session: final state of the graph's run.
            images: rows of the pictures whose files are stored.
            error: type, message and traceback.
        """
        row = self._row(
            "SELECT * FROM queue_finish(%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                attempt,
                outcome,
                round(Decimal(seconds), 3),
                _jsonb(session or None),
                _jsonb(list(images)),
                *error,
            ],
        )
        assert row is not None
        return Finished(**row)

    def hand_back(self, attempt: UUID, *, away: bool = False) -> tuple[str, str] | None:
        """Returns the job to the queue: (what it is now, its tier); None when it was no longer this attempt's.

        Parameters:
            away: a backing service was away; the job is tried again after a pause.
        """
        row = self._row("SELECT * FROM queue_return(%s, %s)", [attempt, away])
        return (row["status"], row["tier"]) if row else None

    def reap(self, max_attempts: int) -> Reaped | None:
        """Ends one attempt whose lease or deadline has passed; None when there is none."""
        row = self._row("SELECT * FROM queue_reap(%s)", [max_attempts])
        return Reaped(**row) if row else None

    def status_event(self, item_id: int) -> dict[str, Any] | None:
        """Payload of queue_item_status_changed, less the timestamp."""
        row = self._row("SELECT queue_job_status_event(%s) AS event", [item_id])
        return row["event"] if row else None

    def backlog(self) -> list[tuple[str, int]]:
        """Each tier with the number of its jobs that could start now."""
        rows = self._rows("SELECT tier, jobs FROM queue_backlog()")
        return [(row["tier"], row["jobs"]) for row in rows]

    def expire_credits(self, limit: int) -> int:
        """Writes off what at most `limit` expired grants still hold; answers how many."""
        row = self._row("SELECT credits_expire(%s) AS grants", [limit])
        return int(row["grants"]) if row else 0

    def drop_removed(self) -> None:
        """Takes away jobs that were removed from the list while they ran, and have ended."""
        self._row("SELECT queue_drop_removed()", [])

    def learn_estimates(self, days: int, records: int) -> int:
        """Learns how long jobs take from the last `records` completed ones of `days`; answers how many classes."""
        row = self._row("SELECT credits_learn_estimates(%s, %s) AS classes", [days, records])
        return int(row["classes"]) if row else 0

    def disagreements(self) -> list[tuple[UUID, UUID]]:
        """(person, grant) wherever a grant's figures are not what the ledger says; always empty, it should be."""
        rows = self._rows("SELECT user_id, credit_id FROM credits_disagreements()")
        return [(row["user_id"], row["credit_id"]) for row in rows]

    def forget_keys(self) -> None:
        """Drops idempotency keys of more than a day ago."""
        self._row("SELECT queue_forget_keys()", [])

    def forget_workers(self) -> None:
        """Drops the records of workers that have been gone for a day."""
        self._row("SELECT queue_forget_workers()", [])

    def seen(self, worker: str, tiers: Sequence[str], engine: str, loaded: Sequence[str]) -> None:
        """Leaves a sign of life."""
        self._row(
            "SELECT queue_worker_seen(%s, %s::text[], %s, %s::text[])",
            [worker, list(tiers), engine, list(loaded)],
        )
