"""All SQL of the queue's API side. Changes go through definer functions (migrations/sql/0005_queue.sql)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from asyncpg import Connection  # type: ignore[import-untyped]
from sqlalchemy import func, select, text

from invokeai_saas.billing import gates
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.identity.tables import User
from invokeai_saas.queue.tables import Batch, Job

LIVE = ("pending", "in_progress")
_Session = ReadSession | WriteSession
_TRACED = "SELECT set_config('app.trace', $1, true)"  # the batch's row takes it from there
_TENANT = "SELECT set_config('app.current_user_id', $1, true)"


class Placed(NamedTuple):
    """Where a batch was queued."""

    tier: str
    priority: int


class CancelledJob(NamedTuple):
    """`status` is what the job is now: canceled, or in_progress until its worker has stopped."""

    item_id: int
    status: str


class ItemRow(NamedTuple):
    """A job with what an item on the wire tells of its batch and person."""

    job: Job
    origin: str | None
    destination: str | None
    email: str
    name: str


def _json(value: object) -> str:
    # The functions take jsonb; text is what every driver can send as it.
    return orjson.dumps(value).decode()


@dataclass(frozen=True)
class NewBatch:
    """What is queued.

    Parameters:
        prepend: before what waits already.
        needs: what the plan has to include.
        trace: traceparent of the request, where it is traced.
    """

    batch_id: UUID
    graph: dict[str, Any]
    workflow: dict[str, Any] | None
    origin: str | None
    destination: str | None
    prepend: bool
    jobs: Sequence[dict[str, Any]]
    needs: Sequence[gates.Feature]
    trace: str | None = None

    def arguments(self, max_pending: int) -> dict[str, Any]:
        return {
            "batch": self.batch_id,
            "graph": _json(self.graph),
            "workflow": _json(self.workflow) if self.workflow is not None else None,
            "origin": self.origin,
            "destination": self.destination,
            "prepend": self.prepend,
            "jobs": _json(self.jobs),
            "max_pending": max_pending,
            "needs": list(self.needs),
        }


async def enqueue_as(connection: Connection, user_id: UUID, batch: NewBatch, max_pending: int) -> Placed:
    """Queues a batch in a transaction of its own."""
    if batch.trace is None:
        return await _enqueue_as(connection, user_id, batch, max_pending)
    async with connection.transaction():
        await connection.execute(_TRACED, batch.trace)
        return await _enqueue_as(connection, user_id, batch, max_pending)


async def _enqueue_as(connection: Connection, user_id: UUID, batch: NewBatch, max_pending: int) -> Placed:
    row = await connection.fetchrow(
        "SELECT tier, priority FROM queue_enqueue_as($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        user_id,
        *batch.arguments(max_pending).values(),
    )
    return Placed(row["tier"], row["priority"])


async def kept_answer(connection: Connection, user_id: UUID, key: str) -> tuple[bytes, str] | None:
    """(hash of the body, answer) that a person's idempotency key stands for, for a day."""
    async with connection.transaction(readonly=True):
        await connection.execute(_TENANT, str(user_id))
        row = await connection.fetchrow(
            "SELECT body_hash, answer FROM enqueue_keys WHERE key = $1 AND answer IS NOT NULL"
            " AND created_at >= now() - interval '1 day'",
            key,
        )
    return (row["body_hash"], row["answer"]) if row else None


async def take_key(connection: Connection, user_id: UUID, key: str, body_hash: bytes) -> bool:
    """Takes a key in the connection's transaction; False when it is taken.

    Whoever comes with the same key meanwhile waits here until that transaction has ended: with it the key is taken,
    after a roll-back it is free.
    """
    await connection.execute(_TENANT, str(user_id))
    row = await connection.fetchrow(
        "INSERT INTO enqueue_keys AS k (user_id, key, body_hash) VALUES ($1, $2, $3) ON CONFLICT (user_id, key)"
        " DO UPDATE SET body_hash = excluded.body_hash, answer = NULL, created_at = now()"
        " WHERE k.created_at < now() - interval '1 day' RETURNING true",
        user_id,
        key,
        body_hash,
    )
    return row is not None


async def keep_answer(connection: Connection, user_id: UUID, key: str, answer: str) -> None:
    """What the key's owner is told when they ask again."""
    await connection.execute(
        "UPDATE enqueue_keys SET answer = $3 WHERE user_id = $1 AND key = $2", user_id, key, answer
    )


async def enqueue(db: WriteSession, batch: NewBatch, max_pending: int) -> Placed:
    """Queues a batch in the session's transaction."""
    statement = text(
        "SELECT tier, priority FROM queue_enqueue(:batch, CAST(:graph AS jsonb), CAST(:workflow AS jsonb),"
        " :origin, :destination, :prepend, CAST(:jobs AS jsonb), :max_pending, CAST(:needs AS text[]))"
    )
    if batch.trace is not None:
        await db.execute(select(func.set_config("app.trace", batch.trace, True)))
    row = (await db.execute(statement, batch.arguments(max_pending))).one()
    return Placed(row.tier, row.priority)


async def cancel(db: WriteSession, item_ids: Sequence[int]) -> list[CancelledJob]:
    rows = await db.execute(
        text("SELECT item_id, status FROM queue_cancel(:items)"), {"items": list(item_ids)}
    )
    return [CancelledJob(row.item_id, row.status) for row in rows]


async def delete(db: WriteSession, item_ids: Sequence[int]) -> int:
    found = await db.execute(text("SELECT queue_delete(:items)"), {"items": list(item_ids)})
    return int(found.scalar_one())


async def status_event(db: WriteSession, item_id: int) -> dict[str, Any] | None:
    found = await db.execute(text("SELECT queue_my_status_event(:item)"), {"item": item_id})
    event: dict[str, Any] | None = found.scalar_one()
    return event


async def status(db: _Session) -> dict[str, Any]:
    found: dict[str, Any] = (await db.execute(text("SELECT queue_my_status()"))).scalar_one()
    return found


async def counts(
    db: _Session, *, batch_id: UUID | None = None, destination: str | None = None
) -> dict[str, int]:
    """Jobs by status, of a batch or of a destination."""
    statement = select(Job.status, func.count()).group_by(Job.status)
    if batch_id is not None:
        statement = statement.where(Job.batch_id == batch_id)
    if destination is not None:
        statement = statement.join(Batch, Batch.batch_id == Job.batch_id).where(
            Batch.destination == destination
        )
    rows = (await db.execute(statement)).all()
    return {row[0]: row[1] for row in rows}


async def find_batch(db: _Session, batch_id: UUID) -> Batch | None:
    return (await db.execute(select(Batch).where(Batch.batch_id == batch_id))).scalar_one_or_none()


async def item_ids(
    db: _Session,
    *,
    statuses: Sequence[str] | None = None,
    batch_ids: Sequence[UUID] | None = None,
    destination: str | None = None,
    ascending: bool = False,
) -> list[int]:
    """Ids of the person's jobs, newest first unless `ascending`."""
    statement = select(Job.item_id).order_by(Job.position if ascending else Job.position.desc())
    if statuses is not None:
        statement = statement.where(Job.status.in_(statuses))
    if batch_ids is not None:
        statement = statement.where(Job.batch_id.in_(batch_ids))
    if destination is not None:
        statement = statement.join(Batch, Batch.batch_id == Job.batch_id).where(
            Batch.destination == destination
        )
    return list((await db.execute(statement)).scalars())


async def items(
    db: _Session, *, ids: Sequence[int] | None = None, destination: str | None = None, limit: int = 1000
) -> list[ItemRow]:
    """Jobs with their batch and person, newest first."""
    statement = (
        select(Job, Batch.origin, Batch.destination, User.email, User.name)
        .join(Batch, Batch.batch_id == Job.batch_id)
        .join(User, User.id == Job.user_id)
        .order_by(Job.position.desc())
        .limit(limit)
    )
    if ids is not None:
        statement = statement.where(Job.item_id.in_(ids))
    if destination is not None:
        statement = statement.where(Batch.destination == destination)
    return [ItemRow(*row) for row in (await db.execute(statement)).all()]


async def batches(db: _Session, batch_ids: Sequence[UUID]) -> dict[UUID, Batch]:
    """Batches with their graphs."""
    rows = (await db.execute(select(Batch).where(Batch.batch_id.in_(set(batch_ids))))).scalars()
    return {batch.batch_id: batch for batch in rows}


async def live_item(db: _Session, *, running: bool) -> ItemRow | None:
    """The running job that began first, or the waiting one that comes next."""
    status_wanted = "in_progress" if running else "pending"
    order = [Job.started_at] if running else [Job.priority.desc(), Job.position]
    statement = select(Job.item_id).where(Job.status == status_wanted).order_by(*order).limit(1)
    item_id = (await db.execute(statement)).scalar_one_or_none()
    found = await items(db, ids=[item_id]) if item_id is not None else []
    return found[0] if found else None
