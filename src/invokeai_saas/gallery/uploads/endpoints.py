"""InvokeAI's `images/upload`: a file in a form, what is to become of it in the query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import FormData, UploadFile

from invokeai_saas.errors import InvalidInput, Unavailable
from invokeai_saas.gallery.answers import as_json
from invokeai_saas.gallery.schemas import ImageDTO
from invokeai_saas.gallery.service import dto_fields
from invokeai_saas.gallery.uploads import service
from invokeai_saas.gallery.uploads.schemas import FORM, UploadParameters
from invokeai_saas.identity.access import Caller, Shared, limit_upload
from invokeai_saas.services import Services

PATH = "/api/v1/images/upload"
router = APIRouter(tags=["images"])


@router.post(
    PATH,
    status_code=201,
    response_model=ImageDTO,
    openapi_extra=FORM,
    dependencies=[Depends(limit_upload)],
)
async def upload_image(
    asked: Annotated[UploadParameters, Query()], request: Request, person: Caller, shared: Shared
) -> Response:
    """Keeps a picture.

    The form is read here rather than by the framework, which would read it before it asks who is calling; and no
    transaction is open meanwhile, for that takes as long as the sender's line is slow.
    """
    await service.require_place(shared, person.user_id, asked)
    async with shared.receiving.turn(person.user_id), _form(request, shared) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidInput(("file",), "Send a picture as the form's `file`.")
        row = await service.upload(
            shared, person.user_id, asked, file.file, file.size or 0, _text(form, "resize_to"), _text(form, "metadata")
        )  # fmt: skip
    fields = dto_fields(row, shared.media)
    answer = as_json(fields)
    answer.status_code = 201
    answer.headers["Location"] = fields["image_url"]
    return answer


@asynccontextmanager
async def _form(request: Request, shared: Services) -> AsyncIterator[FormData]:
    """The form, once it has come. Raises Unavailable when that takes longer than it may."""
    form = request.form(max_files=1, max_fields=8)
    try:
        async with asyncio.timeout(shared.settings.upload_seconds):
            received = await form
    except TimeoutError as error:
        raise Unavailable("The file took too long to come. Try again, or send a smaller one.") from error
    try:
        yield received
    finally:
        await received.close()


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    if isinstance(value, UploadFile):
        raise InvalidInput((name,), "This must be text, not a file.")
    return value
