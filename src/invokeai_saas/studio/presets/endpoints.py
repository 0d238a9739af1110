"""InvokeAI's 8 operations of style presets."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile

from invokeai_saas.gallery.answers import as_json
from invokeai_saas.identity.access import Caller, MediaCaller, Reader, Shared, Writer
from invokeai_saas.storage.answers import stored_file
from invokeai_saas.studio.pictures import thumbnail_of
from invokeai_saas.studio.presets import files, service
from invokeai_saas.studio.presets.schemas import PresetForm, PresetRow, StylePresetRecord

router = APIRouter(prefix="/api/v1/style_presets", tags=["style_presets"])


async def _given(
    person: Caller,
    shared: Shared,
    data: Annotated[str, Form()],
    image: Annotated[UploadFile | None, File()] = None,
) -> tuple[PresetForm, bytes | None]:
    """A form's preset and its picture, drawn anew: both before a transaction is open."""
    form = service.parse_form(data)
    return form, None if image is None else await thumbnail_of(shared, person.user_id, image)


async def _rows(person: Caller, file: Annotated[UploadFile, File()]) -> list[PresetRow]:
    data = await files.read_upload(file)
    return await asyncio.to_thread(files.parse, data, str(file.content_type))


Given = Annotated[tuple[PresetForm, bytes | None], Depends(_given)]
ImportedRows = Annotated[list[PresetRow], Depends(_rows)]


@router.get("/", response_model=list[StylePresetRecord])
async def list_presets(session: Reader, shared: Shared) -> Response:
    return as_json(await service.all_presets(shared, session))


@router.post("/", response_model=StylePresetRecord)
async def create_preset(given: Given, session: Writer, shared: Shared) -> Response:
    return as_json(await service.create(shared, session, *given))


@router.get("/export", response_class=Response)
async def export_presets(session: Reader) -> Response:
    """One's own; InvokeAI keeps export and import for its administrator, who has everybody's."""
    return Response(
        await service.export(session),
        media_type=files.CSV,
        headers={"Content-Disposition": "attachment; filename=prompt_templates.csv"},
    )


@router.post("/import")
async def import_presets(rows: ImportedRows, session: Writer) -> None:
    await service.import_rows(session, rows)


@router.get("/i/{style_preset_id}", response_model=StylePresetRecord)
async def one_preset(style_preset_id: str, session: Reader, shared: Shared) -> Response:
    return as_json(await service.get(shared, session, style_preset_id))


@router.patch("/i/{style_preset_id}", response_model=StylePresetRecord)
async def update_preset(style_preset_id: str, given: Given, session: Writer, shared: Shared) -> Response:
    return as_json(await service.update(shared, session, style_preset_id, *given))


@router.delete("/i/{style_preset_id}")
async def delete_preset(style_preset_id: str, session: Writer, shared: Shared) -> None:
    await service.delete(shared, session, style_preset_id)


@router.get("/i/{style_preset_id}/image", response_class=Response)
async def preset_image(
    style_preset_id: str, request: Request, person: MediaCaller, shared: Shared
) -> Response:
    """For clients that don't follow `image`: by token, or by the cookie that a page's <img> sends."""
    async with shared.database.read(person.user_id) as session:
        key = await service.image_key(shared, session, style_preset_id)
    return await stored_file(request, shared.objects, key, max_age=0)
