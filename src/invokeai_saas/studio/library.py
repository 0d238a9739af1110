"""Workflows, style presets and system prompts before there are any: lists that are truthfully empty.

Keeping and changing them comes later (`refusals` answers those calls), but the page asks for the lists whenever it
loads and when its tabs open.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from invokeai_saas.identity.access import caller
from invokeai_saas.studio.schemas import WorkflowCategory, WorkflowPage

router = APIRouter(prefix="/api/v1", dependencies=[Depends(caller)])


@router.get("/workflows/", tags=["workflows"])
async def workflows(
    page: Annotated[int, Query(ge=0)] = 0,
    per_page: Annotated[int | None, Query(ge=1, le=1000)] = None,
) -> WorkflowPage:
    return WorkflowPage(page=page, per_page=per_page or 0)


@router.get("/workflows/counts_by_category", tags=["workflows"])
async def workflows_by_category(categories: Annotated[list[WorkflowCategory], Query()]) -> dict[str, int]:
    return dict.fromkeys(categories, 0)


@router.get("/workflows/counts_by_tag", tags=["workflows"])
async def workflows_by_tag(tags: Annotated[list[str], Query(max_length=1000)]) -> dict[str, int]:
    return dict.fromkeys(tags, 0)


@router.get("/workflows/tags", tags=["workflows"])
async def workflow_tags() -> list[str]:
    return []


@router.get("/style_presets/", tags=["style_presets"])
async def style_presets() -> list[dict[str, Any]]:
    return []


@router.get("/system_prompts/", tags=["system_prompts"])
async def system_prompts() -> list[dict[str, Any]]:
    return []
