"""InvokeAI's routes of installs. Statuses are InvokeAI's: even a cancel answers 201."""

from __future__ import annotations

from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from pydantic import AnyHttpUrl
from starlette.responses import HTMLResponse

from invokeai_saas.catalog.changes import ModelChanges
from invokeai_saas.catalog.installs import identification, service
from invokeai_saas.catalog.installs.fetching import SourceRefused
from invokeai_saas.catalog.installs.schemas import HubModels, InstallJobDTO
from invokeai_saas.catalog.schemas import BulkReidentified, ModelKeys
from invokeai_saas.errors import InvalidInput
from invokeai_saas.identity.access import Caller, Reader, Shared, Writer

router = APIRouter(prefix="/api/v2/models", tags=["model_manager"])

InstallId = Annotated[int, Path(alias="id", ge=0, lt=2**63)]
Source = Annotated[str, Query(max_length=4096)]
Token = Annotated[str | None, Query(max_length=2048, pattern=r"^[\x21-\x7e]*$")]


@router.post("/install", status_code=201)
async def install_model(
    source: Source,
    person: Caller,
    session: Writer,
    shared: Shared,
    config: Annotated[ModelChanges, Body()],
    access_token: Token = None,
    inplace: bool = False,  # of local files, which there are none of
) -> InstallJobDTO:
    return await service.begin(session, shared, person, source, access_token or None, config)


@router.get("/install")
async def list_installs(session: Reader) -> list[InstallJobDTO]:
    return await service.jobs(session)


@router.delete("/install", status_code=204)
async def prune_installs(session: Writer, shared: Shared) -> None:
    await service.prune(session, shared.objects)


@router.get("/install/huggingface", status_code=201, response_class=HTMLResponse)
async def install_from_hub(source: Source, person: Caller, shared: Shared) -> HTMLResponse:
    """What the model hub's own "use this model" link opens: a page, whatever comes of it."""
    try:
        begun = await service.begin_from_hub(shared, person, source)
    except (InvalidInput, SourceRefused) as error:
        return _page("The model can't be installed", error.message, source, 400)
    if not begun:
        return _page("This repository has several models", "Choose one in the model manager.", source, 200)
    return _page("The model is being installed", "The model manager shows how far it is.", source, 201)


def _page(heading: str, message: str, source: str, status: int) -> HTMLResponse:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{0}</title></head>'
        "<body><h1>{0}</h1><p>{1}</p><p>{2}</p></body></html>"
    ).format(*map(escape, (heading, message, source)))
    # Nothing of a stranger's text may do anything, escaped though it is.
    return HTMLResponse(text, status, headers={"Content-Security-Policy": "default-src 'none'"})


@router.get("/install/{id}")
async def one_install(install_id: InstallId, session: Reader) -> InstallJobDTO:
    return await service.job(session, install_id)


@router.delete("/install/{id}", status_code=201)
async def cancel_install(install_id: InstallId, session: Writer, shared: Shared) -> None:
    await service.cancel(session, shared, install_id)


@router.post("/install/{id}/pause", status_code=201)
async def pause_install(install_id: InstallId, session: Writer) -> InstallJobDTO:
    return await service.pause(session, install_id)


@router.post("/install/{id}/resume", status_code=201)
async def resume_install(install_id: InstallId, person: Caller, session: Writer) -> InstallJobDTO:
    return await service.resume(session, person, install_id)


@router.post("/install/{id}/restart_failed", status_code=201)
async def restart_failed(install_id: InstallId, person: Caller, session: Writer) -> InstallJobDTO:
    return await service.restart_failed(session, person, install_id)


@router.post("/install/{id}/restart_file", status_code=201)
async def restart_file(
    install_id: InstallId, person: Caller, session: Writer, file_source: Annotated[AnyHttpUrl, Body()]
) -> InstallJobDTO:
    return await service.restart_file(session, person, install_id, file_source)


@router.get("/hugging_face")
async def hub_models(person: Caller, shared: Shared, hugging_face_repo: Source) -> HubModels:
    return await service.hub_models(shared, person, hugging_face_repo)


@router.post("/i/{key}/reidentify")
async def reidentify(key: str, person: Caller, shared: Shared) -> dict[str, Any]:
    return await identification.reidentify(shared, person, key)


@router.post("/i/bulk_reidentify")
async def reidentify_many(body: ModelKeys, person: Caller, shared: Shared) -> BulkReidentified:
    return await identification.reidentify_many(shared, person, body.keys)


@router.put("/convert/{key}")
async def convert(key: str, person: Caller, shared: Shared) -> dict[str, Any]:
    return await identification.convert(shared, person, key)
