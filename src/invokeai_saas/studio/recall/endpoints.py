"""InvokeAI's 2 operations of recall. Any queue id means the caller's own queue."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from invokeai_saas.identity.access import Reader, Shared, Writer
from invokeai_saas.studio.recall import service
from invokeai_saas.studio.recall.schemas import (
    NothingRecalled,
    Recalled,
    RecallParameters,
    StoredParameters,
)

router = APIRouter(prefix="/api/v1/recall/{queue_id}", tags=["recall"])


@router.post("")
async def recall(
    body: RecallParameters,
    session: Writer,
    shared: Shared,
    strict: Annotated[bool, Query()] = False,
    append: Annotated[bool, Query()] = False,
) -> Recalled | NothingRecalled:
    return await service.recall(shared, session, body, strict=strict, append=append)


@router.get("")
async def recalled(session: Reader) -> StoredParameters:
    return await service.stored(session)
