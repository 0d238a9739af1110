"""Pictures that people give to what they keep: whatever was uploaded becomes a small WebP of ours.

Nothing of a stranger's file is stored or served: it is decoded, within bounds, and drawn anew.
"""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import File, UploadFile

from invokeai_saas.errors import UnsupportedMediaType
from invokeai_saas.services import Services
from invokeai_saas.storage.decoding import small_picture

Picture = Annotated[UploadFile, File()]


async def thumbnail_of(shared: Services, user_id: UUID, upload: UploadFile) -> bytes:
    """The first frame of an uploaded picture as a small WebP. No transaction may be open meanwhile.

    Raises:
        UnsupportedMediaType: no picture, or one that cannot be read.
        PayloadTooLarge: too many pixels.
    """
    if not (upload.content_type or "").startswith("image"):
        raise UnsupportedMediaType("This is no picture. PNG, JPEG, WebP, GIF and BMP files can be uploaded.")
    data = await upload.read()
    async with shared.decodes.turn(user_id):
        return await asyncio.to_thread(small_picture, data)
