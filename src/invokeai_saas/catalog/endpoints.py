"""InvokeAI's routes of models that are there: reading, changing, deleting them, and their cover pictures."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response, UploadFile

from invokeai_saas.catalog import covers, editing, rights, service
from invokeai_saas.catalog.changes import ModelChanges
from invokeai_saas.catalog.openapi import DescribedApi
from invokeai_saas.catalog.repository import ModelFilter
from invokeai_saas.catalog.schemas import (
    BulkDeleted,
    Direction,
    ModelKeys,
    ModelOrder,
    ModelsList,
    OwnModels,
    StarterModels,
)
from invokeai_saas.identity.access import Caller, Reader, Shared, Writer, caller

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


@router.get(f"{_MODELS}/missing", response_model=ModelsList)
async def missing_models(session: Reader) -> Response:
    """Models whose files are gone: the page leaves them out of its choices."""
    return Response(
        await service.list_models(session, ModelFilter(missing=True)), media_type="application/json"
    )


@router.get(f"{_MODELS}/starter_models", dependencies=_PEOPLE)
async def starter_models() -> StarterModels:
    return StarterModels()


@router.get(f"{_MODELS}/get_by_attrs")
async def model_by_attributes(session: Reader, name: Text, type: Text, base: Text) -> dict[str, Any]:
    return (await service.require_match(session, ModelFilter([base], type, name))).record


@router.get(f"{_MODELS}/get_by_hash")
async def model_by_hash(session: Reader, hash: Text) -> dict[str, Any]:
    return (await service.require_match(session, ModelFilter(hash=hash))).record


@router.get(f"{_MODELS}/i/{{key}}")
async def one_model(key: str, session: Reader) -> dict[str, Any]:
    return (await service.require_model(session, key)).record


@router.patch(f"{_MODELS}/i/{{key}}")
async def change_model(
    key: str, changes: ModelChanges, person: Caller, session: Writer, shared: Shared
) -> dict[str, Any]:
    return await editing.change_model(session, shared.models, person, key, changes)


@router.delete(f"{_MODELS}/i/{{key}}", status_code=204)
async def delete_model(key: str, person: Caller, session: Writer, shared: Shared) -> None:
    await editing.delete_model(session, shared.objects, person, key)


@router.post(f"{_MODELS}/i/bulk_delete")
async def delete_models(body: ModelKeys, person: Caller, session: Writer, shared: Shared) -> BulkDeleted:
    return await editing.delete_models(session, shared.objects, person, body.keys)


@router.get(f"{_MODELS}/i/{{key}}/image", response_class=Response)
async def model_image(key: str, request: Request, shared: Shared) -> Response:
    """A cover picture. An `<img>` asks for it without a token: shared models' are everybody's."""
    return await covers.cover(request, shared, key)


@router.patch(f"{_MODELS}/i/{{key}}/image")
async def change_model_image(key: str, image: UploadFile, person: Caller, shared: Shared) -> None:
    await covers.replace_cover(shared, person, key, await image.read())


@router.delete(f"{_MODELS}/i/{{key}}/image", status_code=204)
async def delete_model_image(key: str, person: Caller, session: Writer, shared: Shared) -> None:
    await covers.remove_cover(session, shared.objects, person, key)


@router.get("/api/v1/account/models")
async def own_models(person: Caller, session: Reader) -> OwnModels:
    return await rights.own_models(session, person)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, shared: Shared) -> Response:
    """What the page learns the nodes from. It asks before log-in, so this names nothing of anybody."""
    described: DescribedApi | None = getattr(request.app.state, "described_api", None)
    if described is None:
        described = request.app.state.described_api = DescribedApi(request.app, shared.nodes)
    return await described.answer(request)
