"""The rules of uploaded pictures: how large, in which form, and what is kept of them."""

from __future__ import annotations

import asyncio
from typing import IO
from uuid import UUID, uuid4

from invokeai_saas.errors import PayloadTooLarge
from invokeai_saas.gallery.service import Row
from invokeai_saas.gallery.uploads import pictures
from invokeai_saas.gallery.uploads.keeping import Upload, keep
from invokeai_saas.gallery.uploads.pictures import Prepared
from invokeai_saas.gallery.uploads.schemas import UploadParameters, parse_dimensions
from invokeai_saas.services import Services


async def upload(
    shared: Services,
    user_id: UUID,
    asked: UploadParameters,
    file: IO[bytes],
    size: int,
    resize_to: str | None,
    metadata: str | None,
) -> Row:
    """Keeps a person's picture and answers its row.

    Parameters:
        size: of the file, in bytes.
        resize_to, metadata: JSON texts of the form.

    Raises:
        PayloadTooLarge, UnsupportedMediaType: see pictures.prepare.
        BadRequest: `resize_to` is no size.
        NotFound: the board is not the person's.
        StorageQuotaExceeded, NotInPlan: see quota.require_fits.
    """
    settings = shared.settings
    if size > settings.max_upload_bytes:
        raise PayloadTooLarge(f"A file may be {settings.max_upload_bytes // 2**20} MiB long.")
    request = pictures.Request(
        settings.max_upload_pixels, settings.max_body_bytes, bool(asked.crop_visible),
        parse_dimensions(resize_to), metadata,
    )  # fmt: skip
    async with shared.decodes.turn(user_id):
        prepared = await asyncio.to_thread(pictures.prepare, file, request)
    try:
        return await keep(shared, user_id, _described(asked, prepared))
    finally:
        prepared.png.close()


def _described(asked: UploadParameters, prepared: Prepared) -> Upload:
    texts = {chunk.removeprefix("invokeai_"): found for chunk, found in prepared.texts.items()}
    values = {kind: found.value if found else None for kind, found in texts.items()}
    columns = {
        "image_category": asked.image_category,
        "is_intermediate": asked.is_intermediate,
        "session_id": asked.session_id,
        "width": prepared.width,
        "height": prepared.height,
        "image_metadata": values["metadata"],
        "workflow": values["workflow"],
        "graph": values["graph"],
        "has_workflow": bool(texts["workflow"] or texts["graph"]),
    }
    return Upload(
        f"{uuid4()}.png",
        "image",
        "image/png",
        prepared.png,
        prepared.size,
        prepared.thumbnail,
        asked.board_id,
        columns,
    )
