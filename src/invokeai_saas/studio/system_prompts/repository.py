"""The SQL of system prompts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from invokeai_saas.db import sharing
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.studio.system_prompts.tables import SystemPrompt

Session = ReadSession | WriteSession


async def all_prompts(session: Session) -> list[SystemPrompt]:
    return list((await session.execute(select(SystemPrompt))).scalars())


async def shared_prompts(session: Session) -> list[SystemPrompt]:
    """Those that colleagues share."""
    statement = select(SystemPrompt).where(SystemPrompt.user_id != session.user_id)
    return list((await session.execute(statement, execution_options=sharing.SHARED)).scalars())


async def count(session: Session) -> int:
    return (await session.execute(select(func.count()).select_from(SystemPrompt))).scalar_one()


async def get(session: Session, prompt_id: UUID) -> SystemPrompt | None:
    statement = select(SystemPrompt).where(SystemPrompt.id == prompt_id)
    return (await session.execute(statement)).scalar_one_or_none()


async def get_shared(session: Session, prompt_id: UUID) -> SystemPrompt | None:
    """One that a colleague shares."""
    statement = select(SystemPrompt).where(SystemPrompt.id == prompt_id)
    return (await session.execute(statement, execution_options=sharing.SHARED)).scalar_one_or_none()


async def add(session: WriteSession, name: str, content: str) -> SystemPrompt:
    statement = insert(SystemPrompt).values(user_id=session.user_id, name=name, content=content)
    return (await session.execute(statement.returning(SystemPrompt))).scalar_one()


async def change(session: WriteSession, prompt_id: UUID, values: dict[str, Any]) -> SystemPrompt | None:
    """None when it is not the person's."""
    statement = update(SystemPrompt).where(SystemPrompt.id == prompt_id).values(**values)
    return (await session.execute(statement.returning(SystemPrompt))).scalar_one_or_none()


async def remove(session: WriteSession, prompt_id: UUID) -> bool:
    """False when it is not the person's."""
    statement = delete(SystemPrompt).where(SystemPrompt.id == prompt_id).returning(SystemPrompt.id)
    return (await session.execute(statement)).first() is not None
