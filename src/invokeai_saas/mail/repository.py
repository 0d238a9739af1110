"""All SQL of the outbox. Requests write with their own role; the scheduler sends with the auth role, and works out
who is to be reminded with the worker's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from invokeai_saas.db.session import AuthSessionDb, WriteSession

_ENQUEUE = text("SELECT mail_enqueue(:user_id, :kind, :key, :data)").bindparams(
    bindparam("data", type_=JSONB)
)


class ClaimedMail(NamedTuple):
    """A mail in hand, with whom it is for. Parameters: attempt: counted from 1; what a later one says counts alone."""

    id: UUID
    user_id: UUID
    kind: str
    data: Mapping[str, Any]
    attempt: int
    created_at: datetime
    email: str
    name: str
    language: str
    verified: bool


async def enqueue(
    db: WriteSession | AuthSessionDb, user_id: UUID, kind: str, key: str, data: Mapping[str, Any]
) -> UUID | None:
    values = {"user_id": user_id, "kind": kind, "key": key, "data": dict(data)}
    written: UUID | None = (await db.execute(_ENQUEUE, values)).scalar_one()
    return written


def claim(connection: Connection[DictRow], limit: int, lease: float, tries: int) -> list[ClaimedMail]:
    rows = connection.execute("SELECT * FROM mail_claim(%s, %s, %s)", [limit, lease, tries])
    return [ClaimedMail(**row) for row in rows]


def sent(connection: Connection[DictRow], mail_id: UUID, attempt: int) -> None:
    connection.execute("SELECT mail_sent(%s, %s)", [mail_id, attempt])


def failed(connection: Connection[DictRow], mail_id: UUID, attempt: int, error: str, *, final: bool) -> None:
    connection.execute("SELECT mail_failed(%s, %s, %s, %s)", [mail_id, attempt, error, final])


def remind_trials(connection: Connection[DictRow], limit: int) -> int:
    row = connection.execute("SELECT mail_remind_trials(%s) AS told", [limit]).fetchone()
    return int(row["told"]) if row else 0


def remind_deletions(connection: Connection[DictRow], limit: int) -> int:
    row = connection.execute("SELECT mail_remind_deletions(%s) AS told", [limit]).fetchone()
    return int(row["told"]) if row else 0


def listed(connection: Connection[DictRow], state: str | None, limit: int) -> list[DictRow]:
    """The newest mails, as the owner role sees them."""
    return connection.execute(
        "SELECT o.id::text, u.email, o.kind, o.state, o.attempts, o.created_at, o.due_at, o.sent_at, o.error"
        " FROM mail_outbox o JOIN users u ON u.id = o.user_id WHERE %(state)s::text IS NULL OR o.state = %(state)s"
        " ORDER BY o.created_at DESC, o.id LIMIT %(limit)s",
        {"state": state, "limit": limit},
    ).fetchall()


def retry(connection: Connection[DictRow], ids: Sequence[UUID] | None) -> int:
    """Has mails that were given up tried again, all of them where none is named; answers how many."""
    done = connection.execute(
        "UPDATE mail_outbox SET state = 'waiting', attempts = 0, due_at = now()"
        " WHERE state = 'failed' AND (%(ids)s::uuid[] IS NULL OR id = ANY (%(ids)s))",
        {"ids": list(ids) if ids is not None else None},
    )
    return done.rowcount
