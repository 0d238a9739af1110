"""InvokeAI's model routes, as far as they read. What models there are is our staff's to decide."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from invokeai_saas.catalog import service
from invokeai_saas.catalog.openapi import DescribedApi
from invokeai_saas.catalog.repository import ModelFilter
from invokeai_saas.catalog.schemas import Direction, ModelOrder, ModelsList
from invokeai_saas.errors import NotFound
from invokeai_saas.identity.access import MediaReader, Reader, Shared, caller

router = APIRouter(tags=["model_manager"])

_MODELS = "/api/v2/models"
_PEOPLE = [Depends(caller)]
# PostgreSQL's text has no NUL; a name with one in it is no model's name.
Text = Annotated[str, Query(max_length=512, pattern=r"^[^\x00]*$")]


@router.get(f"{_MODELS}/", response_model=ModelsList)
async def list_models(
    session: Reader,
    base_models: Annotated[list[str] | None, Query(max_length=100)] = None,
    model_type: Text | None = None,
    model_name: Text | None = None,
    model_format: Text | None = None,
    order_by: ModelOrder = "name",
    direction: Direction = "ASC",
) -> Response:
    bases = [base for base in base_models or [] if "\0" not in base]
    wanted = ModelFilter(bases, model_type, model_name, model_format, order_by=order_by, direction=direction)
    return Response(await service.list_models(session, wanted), media_type="application/json")


@router.get(f"{_MODELS}/missing", dependencies=_PEOPLE)
async def missing_models() -> ModelsList:
    """Models whose files are gone. Workers fetch files from the shared store, so there are none to tell of."""
    return ModelsList(models=[])


@router.get(f"{_MODELS}/get_by_attrs")
async def model_by_attributes(session: Reader, name: Text, type: Text, base: Text) -> dict[str, Any]:
    return (await service.require_match(session, ModelFilter([base], type, name))).record


@router.get(f"{_MODELS}/get_by_hash")
async def model_by_hash(session: Reader, hash: Text) -> dict[str, Any]:
    return (await service.require_match(session, ModelFilter(hash=hash))).record


@router.get(f"{_MODELS}/i/{{key}}")
async def one_model(key: str, session: Reader) -> dict[str, Any]:
    return (await service.require_model(session, key)).record


@router.get(f"{_MODELS}/i/{{key}}/image", response_class=Response)
async def model_image(key: str, session: MediaReader) -> Response:
    """The catalog has no cover pictures yet; records say so with `cover_image: null`."""
    await service.require_model(session, key)
    raise NotFound("A picture of this model")


@router.post("/api/v1/model_relationships/batch", tags=["model_relationships"], dependencies=_PEOPLE)
async def related_models_of_many() -> list[str]:
    """No model is linked with another yet, so which ones are asked about makes no difference."""
    return []


@router.get("/api/v1/model_relationships/i/{model_key}", tags=["model_relationships"])
async def related_models(model_key: str, session: Reader) -> list[str]:
    await service.require_model(session, model_key)
    return []


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, shared: Shared) -> Response:
    """What the page learns the nodes from. It asks before log-in, so this names nothing of anybody."""
    described: DescribedApi | None = getattr(request.app.state, "described_api", None)
    if described is None:
        described = request.app.state.described_api = DescribedApi(request.app, shared.nodes)
    return await described.answer(request)
