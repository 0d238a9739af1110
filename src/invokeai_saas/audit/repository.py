"""Reading the audit log, with the staff role. It is written by the functions that do what stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import RowMapping, text

from invokeai_saas.db.session import StaffDb

_ENTRY = """
    SELECT a.id, a.at, a.actor, a.action, a.person_id, u.email AS person, a.kind, a.thing, a.reason, a.details,
        a.request_id, a.address
    FROM audit_log a LEFT JOIN users u ON u.id = a.person_id
"""


class Filter(NamedTuple):
    """Which lines. Parameters: None for any; before: the last line seen."""

    actor: str | None = None
    action: str | None = None
    person: str | None = None  # part of their address
    before: int | None = None


async def entries(db: StaffDb, wanted: Filter, limit: int) -> Sequence[RowMapping]:
    """Lines of the log, the newest first."""
    statement = text(
        f"""
        {_ENTRY} WHERE (CAST(:actor AS text) IS NULL OR a.actor = :actor)
          AND (CAST(:action AS text) IS NULL OR a.action = :action)
          AND (CAST(:person AS text) IS NULL OR position(lower(:person) IN u.email) > 0)
          AND (CAST(:before AS bigint) IS NULL OR a.id < :before)
        ORDER BY a.id DESC LIMIT :limit
        """
    )
    return (await db.execute(statement, wanted._asdict() | {"limit": limit})).mappings().all()


async def about(db: StaffDb, person: UUID, limit: int) -> Sequence[RowMapping]:
    """What was done to a person, the newest first."""
    statement = text(f"{_ENTRY} WHERE a.person_id = :person ORDER BY a.id DESC LIMIT :limit")
    return (await db.execute(statement, {"person": person, "limit": limit})).mappings().all()


async def actions(db: StaffDb) -> Sequence[str]:
    """Kinds of acts that there are in the log."""
    # Skips from one to the next by the index, however long the log is.
    statement = text(
        """
        WITH RECURSIVE found AS (
            (SELECT action FROM audit_log ORDER BY action LIMIT 1)
            UNION ALL
            SELECT (SELECT a.action FROM audit_log a WHERE a.action > f.action ORDER BY a.action LIMIT 1)
            FROM found f WHERE f.action IS NOT NULL
        ) SELECT action FROM found WHERE action IS NOT NULL
        """
    )
    return (await db.scalars(statement)).all()
