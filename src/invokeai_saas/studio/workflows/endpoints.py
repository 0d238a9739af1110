"""InvokeAI's 13 operations of the workflow library."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response

from invokeai_saas.gallery.answers import as_json
from invokeai_saas.identity.access import Caller, MediaCaller, Reader, Shared, Writer
from invokeai_saas.storage.answers import stored_file
from invokeai_saas.studio.bodies import read_body
from invokeai_saas.studio.pictures import Picture, thumbnail_of
from invokeai_saas.studio.workflows import service
from invokeai_saas.studio.workflows.schemas import (
    MAX_WORKFLOW_BYTES,
    CategoryCounts,
    Filter,
    Listing,
    TagCounts,
    WorkflowPage,
    WorkflowRecord,
    WorkflowRecordWithThumbnail,
    WorkflowWithoutId,
)

router = APIRouter(prefix="/api/v1/workflows", tags=["workflows"])

_ENVELOPE = 1024  # bytes around the workflow in a body
_DESCRIBED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["workflow"],
                    "properties": {"workflow": {"type": "object"}},
                }
            }
        },
    }
}


async def _workflow(request: Request, person: Caller) -> tuple[WorkflowWithoutId, str | None]:
    """The workflow in the body, and its id: read and checked before a transaction is open."""
    body = await read_body(request, MAX_WORKFLOW_BYTES + _ENVELOPE, "A workflow")
    return await asyncio.to_thread(service.parse, body)


async def _picture(image: Picture, person: Caller, shared: Shared) -> bytes:
    """The uploaded picture, drawn anew before a transaction is open."""
    return await thumbnail_of(shared, person.user_id, image)


GivenWorkflow = Annotated[tuple[WorkflowWithoutId, str | None], Depends(_workflow)]


@router.get("/", response_model=WorkflowPage)
async def list_workflows(asked: Annotated[Listing, Query()], session: Reader, shared: Shared) -> Response:
    return as_json(await service.page(shared, session, asked))


@router.post("/", response_model=WorkflowRecord, openapi_extra=_DESCRIBED)
async def create_workflow(given: GivenWorkflow, session: Writer, shared: Shared) -> Response:
    return as_json(await service.create(shared, session, given[0]))


@router.get("/tags")
async def workflow_tags(asked: Annotated[Filter, Query()], session: Reader, shared: Shared) -> list[str]:
    return await service.tags(shared, session, asked)


@router.get("/counts_by_category")
async def counts_by_category(
    asked: Annotated[CategoryCounts, Query()], session: Reader, shared: Shared
) -> dict[str, int]:
    return await service.counts_by_category(shared, session, asked)


@router.get("/counts_by_tag")
async def counts_by_tag(
    asked: Annotated[TagCounts, Query()], session: Reader, shared: Shared
) -> dict[str, int]:
    return await service.counts_by_tag(shared, session, asked)


@router.get("/i/{workflow_id}", response_model=WorkflowRecordWithThumbnail)
async def one_workflow(workflow_id: str, session: Reader, shared: Shared) -> Response:
    return as_json(await service.get(shared, session, workflow_id))


@router.patch("/i/{workflow_id}", response_model=WorkflowRecord, openapi_extra=_DESCRIBED)
async def update_workflow(
    workflow_id: str, given: GivenWorkflow, session: Writer, shared: Shared
) -> Response:
    return as_json(await service.update(shared, session, workflow_id, *given))


@router.delete("/i/{workflow_id}")
async def delete_workflow(workflow_id: str, session: Writer, shared: Shared) -> None:
    await service.delete(shared, session, workflow_id)


@router.patch("/i/{workflow_id}/is_public", response_model=WorkflowRecord)
async def share_workflow(
    workflow_id: str, is_public: Annotated[bool, Body(embed=True)], session: Writer, shared: Shared
) -> Response:
    return as_json(await service.share(shared, session, workflow_id, is_public=is_public))


@router.put("/i/{workflow_id}/opened_at")
async def mark_opened(workflow_id: str, session: Writer, shared: Shared) -> None:
    await service.mark_opened(shared, session, workflow_id)


@router.get("/i/{workflow_id}/thumbnail", response_class=Response)
async def workflow_thumbnail(
    workflow_id: str, request: Request, person: MediaCaller, shared: Shared
) -> Response:
    """For clients that don't follow `thumbnail_url`: by token, or by the cookie that a page's <img> sends."""
    async with shared.database.read(person.user_id) as session:
        key = await service.thumbnail_key(shared, session, workflow_id)
    return await stored_file(request, shared.objects, key, max_age=0)


@router.put("/i/{workflow_id}/thumbnail", response_model=WorkflowRecord)
async def set_thumbnail(
    workflow_id: str, picture: Annotated[bytes, Depends(_picture)], session: Writer, shared: Shared
) -> Response:
    return as_json(await service.set_thumbnail(shared, session, workflow_id, picture))


@router.delete("/i/{workflow_id}/thumbnail", response_model=WorkflowRecord)
async def delete_thumbnail(workflow_id: str, session: Writer, shared: Shared) -> Response:
    return as_json(await service.set_thumbnail(shared, session, workflow_id, None))
