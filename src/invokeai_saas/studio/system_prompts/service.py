"""The rules of system prompts.

Each is its owner's to change. With `is_public` the people of the owner's organisation see it; those that InvokeAI ships
are everybody's to read.
"""

from __future__ import annotations

from uuid import UUID

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import Conflict, Forbidden, NotFound, ServiceError
from invokeai_saas.studio.shipped import OWNER, Shipped, ShippedPrompt
from invokeai_saas.studio.system_prompts import repository
from invokeai_saas.studio.system_prompts.repository import Session
from invokeai_saas.studio.system_prompts.schemas import (
    MAX_PROMPTS,
    NewSystemPrompt,
    SystemPromptChanges,
    SystemPromptRecord,
)
from invokeai_saas.studio.system_prompts.tables import SystemPrompt

_WHAT = "This system prompt"


async def all_prompts(shipped: Shipped, session: ReadSession) -> list[SystemPromptRecord]:
    """One's own, those that colleagues share, and those that InvokeAI ships, by name."""
    rows = [*await repository.all_prompts(session), *await repository.shared_prompts(session)]
    own = [_record(prompt) for prompt in rows]
    found = [*own, *(_shipped_record(prompt, shipped) for prompt in shipped.prompts.values())]
    return sorted(found, key=lambda prompt: prompt.name.lower())


async def get(shipped: Shipped, session: ReadSession, prompt_id: str) -> SystemPromptRecord:
    """Raises NotFound."""
    found = shipped.prompts.get(prompt_id)
    if found:
        return _shipped_record(found, shipped)
    return _record(await _find(session, prompt_id))


async def create(session: WriteSession, new: NewSystemPrompt) -> SystemPromptRecord:
    """Raises Conflict when the person keeps as many as they may."""
    if await repository.count(session) >= MAX_PROMPTS:
        raise Conflict(
            f"At most {MAX_PROMPTS} system prompts can be kept. Delete some first.",
            code="system_prompts_full",
        )
    return _record(await repository.add(session, new.name, new.content))


async def change(
    shipped: Shipped, session: WriteSession, prompt_id: str, changes: SystemPromptChanges
) -> SystemPromptRecord:
    """Changes what is given. Raises NotFound, and Forbidden for one that InvokeAI ships or a colleague shares."""
    wanted = _own_id(shipped, prompt_id)
    values = changes.model_dump(exclude_none=True)
    changed = repository.change(session, wanted, values) if values else repository.get(session, wanted)
    prompt = await changed
    if prompt is None:
        raise await _refusal(session, wanted)
    return _record(prompt)


async def delete(shipped: Shipped, session: WriteSession, prompt_id: str) -> None:
    """Raises NotFound, and Forbidden for one that InvokeAI ships or a colleague shares."""
    wanted = _own_id(shipped, prompt_id)
    if not await repository.remove(session, wanted):
        raise await _refusal(session, wanted)


async def _refusal(session: Session, prompt_id: UUID) -> ServiceError:
    if await repository.get_shared(session, prompt_id) is not None:
        return Forbidden("This system prompt is a colleague's. Only they can change it; make a copy of it.")
    return NotFound(_WHAT)


def _own_id(shipped: Shipped, prompt_id: str) -> UUID:
    if prompt_id in shipped.prompts:
        raise Forbidden("This system prompt comes with InvokeAI and can't be changed. Make a copy of it.")
    return _uuid(prompt_id)


def _uuid(prompt_id: str) -> UUID:
    try:
        return UUID(prompt_id)
    except ValueError as error:
        raise NotFound(_WHAT) from error


async def _find(session: Session, prompt_id: str) -> SystemPrompt:
    wanted = _uuid(prompt_id)
    prompt = await repository.get(session, wanted) or await repository.get_shared(session, wanted)
    if prompt is None:
        raise NotFound(_WHAT)
    return prompt


def _record(prompt: SystemPrompt) -> SystemPromptRecord:
    return SystemPromptRecord(
        id=str(prompt.id),
        user_id=str(prompt.user_id),
        name=prompt.name,
        content=prompt.content,
        is_public=prompt.is_public,
        created_at=prompt.created_at,
        updated_at=prompt.updated_at,
    )


def _shipped_record(prompt: ShippedPrompt, shipped: Shipped) -> SystemPromptRecord:
    since = shipped.since
    return SystemPromptRecord(
        id=prompt.id,
        user_id=OWNER,
        name=prompt.name,
        content=prompt.content,
        is_public=True,
        created_at=since,
        updated_at=since,
    )
