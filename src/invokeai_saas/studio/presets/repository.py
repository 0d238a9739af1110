"""The SQL of style presets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from invokeai_saas.db import sharing
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.studio.presets.tables import StylePreset

Session = ReadSession | WriteSession


async def all_presets(session: Session) -> list[StylePreset]:
    """The person's, by name."""
    statement = select(StylePreset).order_by(func.lower(StylePreset.name), StylePreset.id)
    return list((await session.execute(statement)).scalars())


async def shared_presets(session: Session) -> list[StylePreset]:
    """Those that colleagues share."""
    statement = select(StylePreset).where(StylePreset.user_id != session.user_id)
    return list((await session.execute(statement, execution_options=sharing.SHARED)).scalars())


async def get_shared(session: Session, preset_id: UUID) -> StylePreset | None:
    """One that a colleague shares."""
    statement = select(StylePreset).where(StylePreset.id == preset_id)
    return (await session.execute(statement, execution_options=sharing.SHARED)).scalar_one_or_none()


async def held(session: Session, other_than: UUID | None = None) -> tuple[int, int]:
    """(how many presets the person keeps, their bytes in all). Parameters: other_than: one that is left out."""
    texts = StylePreset.name + StylePreset.positive_prompt + StylePreset.negative_prompt
    statement = select(func.count(), func.coalesce(func.sum(func.octet_length(texts)), 0))
    if other_than is not None:
        statement = statement.where(StylePreset.id != other_than)
    row = (await session.execute(statement)).one()
    return row[0], row[1]


async def get(session: Session, preset_id: UUID, *, locked: bool = False) -> StylePreset | None:
    """Parameters: locked: against changes until the transaction ends."""
    statement = select(StylePreset).where(StylePreset.id == preset_id)
    if locked:
        statement = statement.with_for_update()
    return (await session.execute(statement)).scalar_one_or_none()


async def add(session: WriteSession, rows: Sequence[dict[str, Any]]) -> list[StylePreset]:
    """New presets, each a dict of columns, all with the same ones."""
    statement = insert(StylePreset).values([{"user_id": session.user_id, **row} for row in rows])
    return list((await session.execute(statement.returning(StylePreset))).scalars())


async def change(session: WriteSession, preset_id: UUID, values: dict[str, Any]) -> StylePreset:
    statement = (
        update(StylePreset)
        .where(StylePreset.id == preset_id)
        .values(**values)
        .returning(StylePreset)
        .execution_options(populate_existing=True)
    )
    return (await session.execute(statement)).scalar_one()


async def remove(session: WriteSession, preset_id: UUID) -> None:
    await session.execute(delete(StylePreset).where(StylePreset.id == preset_id))
