"""InvokeAI's `images/upload`: a file in a form, what is to become of it in the query."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import FormData, UploadFile

from invokeai_saas.errors import InvalidInput
from invokeai_saas.gallery.answers import as_json
from invokeai_saas.gallery.schemas import ImageDTO
from invokeai_saas.gallery.service import dto_fields
from invokeai_saas.gallery.uploads import service
from invokeai_saas.gallery.uploads.keeping import require_place
from invokeai_saas.gallery.uploads.receiving import received_form
from invokeai_saas.gallery.uploads.schemas import FORM, UploadParameters
from invokeai_saas.identity.access import Caller, Shared, limit_upload

PATH = "/api/v1/images/upload"
_MOST_TEXT = 2**20  # bytes
router = APIRouter(tags=["images"])
Asked = Annotated[UploadParameters, Query()]


async def _limit(asked: Asked, request: Request, person: Caller, shared: Shared) -> None:
    """At most so many a minute a person.

    Layers have a limit of their own: InvokeAI's canvas uploads each that is drawn, as an intermediate picture, before
    every job. What calls itself that and is long, or does not say how long it is, counts as any other upload.
    """
    settings = shared.settings
    length = request.headers.get("content-length", "")
    if asked.is_intermediate and length.isdecimal() and int(length) <= settings.max_layer_bytes:
        await shared.limiter.check(str(person.user_id), "layer", settings.layers_per_minute)
    else:
        await limit_upload(person, shared)


@router.post(
    PATH,
    status_code=201,
    response_model=ImageDTO,
    openapi_extra=FORM,
    dependencies=[Depends(_limit)],
)
async def upload_image(asked: Asked, request: Request, person: Caller, shared: Shared) -> Response:
    """Keeps a picture.

    The form is read here rather than by the framework, which would read it before it asks who is calling; and no
    transaction is open meanwhile, for that takes as long as the sender's line is slow.
    """
    await require_place(shared, person.user_id, asked.board_id)
    async with received_form(
        request, shared, person.user_id,
        seconds=shared.settings.upload_seconds, max_fields=8, max_text=_MOST_TEXT,
    ) as form:  # fmt: skip
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


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    if isinstance(value, UploadFile):
        raise InvalidInput((name,), "This must be text, not a file.")
    return value
