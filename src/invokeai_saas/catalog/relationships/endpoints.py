"""InvokeAI's `model_relationships` routes."""

from __future__ import annotations

from fastapi import APIRouter

from invokeai_saas.catalog.relationships import service
from invokeai_saas.catalog.relationships.schemas import ModelKeys, ModelPair
from invokeai_saas.identity.access import Caller, Reader, Writer

router = APIRouter(prefix="/api/v1/model_relationships", tags=["model_relationships"])


@router.get("/i/{model_key}")
async def related_models(model_key: str, session: Reader) -> list[str]:
    return await service.related(session, model_key)


@router.post("/batch")
async def related_models_of_many(body: ModelKeys, session: Reader) -> list[str]:
    return await service.related_to_any(session, body.model_keys)


@router.post("/", status_code=204)
async def relate(body: ModelPair, person: Caller, session: Writer) -> None:
    await service.relate(session, person, body.model_key_1, body.model_key_2)


@router.delete("/", status_code=204)
async def unrelate(body: ModelPair, person: Caller, session: Writer) -> None:
    await service.unrelate(session, person, body.model_key_1, body.model_key_2)
