"""The audit log as staff read it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping

from invokeai_saas.audit import repository
from invokeai_saas.audit.repository import Filter
from invokeai_saas.db.session import StaffDb

__all__ = ["Filter", "about", "actions", "entries"]


async def entries(db: StaffDb, wanted: Filter, limit: int) -> Sequence[RowMapping]:
    """Lines of the log, the newest first."""
    return await repository.entries(db, wanted, limit)


async def about(db: StaffDb, person: UUID, limit: int = 50) -> Sequence[RowMapping]:
    """What was done to a person, the newest first."""
    return await repository.about(db, person, limit)


async def actions(db: StaffDb) -> Sequence[str]:
    """Kinds of acts that there are in the log."""
    return await repository.actions(db)
