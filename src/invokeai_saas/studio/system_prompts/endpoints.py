"""InvokeAI's 5 operations of system prompts."""

from __future__ import annotations

from fastapi import APIRouter

from invokeai_saas.identity.access import Reader, Shared, Writer
from invokeai_saas.studio.system_prompts import service
from invokeai_saas.studio.system_prompts.schemas import (
    NewSystemPrompt,
    SystemPromptChanges,
    SystemPromptRecord,
)

router = APIRouter(prefix="/api/v1/system_prompts", tags=["system_prompts"])


@router.get("/")
async def list_prompts(session: Reader, shared: Shared) -> list[SystemPromptRecord]:
    return await service.all_prompts(shared.shipped, session)


@router.post("/")
async def create_prompt(body: NewSystemPrompt, session: Writer) -> SystemPromptRecord:
    return await service.create(session, body)


@router.get("/i/{system_prompt_id}")
async def one_prompt(system_prompt_id: str, session: Reader, shared: Shared) -> SystemPromptRecord:
    return await service.get(shared.shipped, session, system_prompt_id)


@router.patch("/i/{system_prompt_id}")
async def change_prompt(
    system_prompt_id: str, body: SystemPromptChanges, session: Writer, shared: Shared
) -> SystemPromptRecord:
    return await service.change(shared.shipped, session, system_prompt_id, body)


@router.delete("/i/{system_prompt_id}")
async def delete_prompt(system_prompt_id: str, session: Writer, shared: Shared) -> None:
    await service.delete(shared.shipped, session, system_prompt_id)
