"""Pictures that people give to what they keep: whatever was uploaded becomes a small WebP of ours.

Nothing of a stranger's file is stored or served: it is decoded, within bounds, and drawn anew.
"""

from __future__ import annotations

import asyncio
import io
from typing import Annotated

from fastapi import File, UploadFile
from PIL import Image, ImageOps

from invokeai_saas.errors import InvalidInput, UnsupportedMediaType
from invokeai_saas.storage.headers import has_too_many_scans

SIDE = 256  # pixels; InvokeAI's size of thumbnails
MAX_PIXELS = 32_000_000
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_NOT_ONE = "This file cannot be read as a picture. PNG, JPEG, WebP and GIF can."
# Decoding takes four bytes a pixel and a processor: so many at once in one process.
_decoding = asyncio.Semaphore(2)

Picture = Annotated[UploadFile, File()]


async def thumbnail_of(upload: UploadFile) -> bytes:
    """The first frame of an uploaded picture as WebP, 256 pixels at its longer side.

    Raises:
        UnsupportedMediaType: no picture, or one that cannot be read.
        InvalidInput: more than MAX_PIXELS.
    """
    if not (upload.content_type or "").startswith("image"):
        raise UnsupportedMediaType(_NOT_ONE)
    data = await upload.read()
    async with _decoding:
        return await asyncio.to_thread(_thumbnail, data)


def _thumbnail(data: bytes) -> bytes:
    too_large = InvalidInput(("image",), f"A picture may have {MAX_PIXELS // 1_000_000} million pixels.")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            if picture.format == "JPEG" and has_too_many_scans(io.BytesIO(data)):
                raise UnsupportedMediaType(_NOT_ONE)
            if picture.width * picture.height > MAX_PIXELS:
                raise too_large
            picture.draft("RGB", (2 * SIDE, 2 * SIDE))  # JPEG is decoded small where it can be
            clear = "A" in picture.getbands() or "transparency" in picture.info
            small = picture.convert("RGBA" if clear else "RGB")
            small.thumbnail((SIDE, SIDE))
            upright = ImageOps.exif_transpose(small)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large from error
    except (InvalidInput, UnsupportedMediaType):
        raise
    except Exception as error:  # decoders raise whatever they like
        raise UnsupportedMediaType(_NOT_ONE) from error
    out = io.BytesIO()
    upright.save(out, "WEBP", quality=85, exif=b"")
    return out.getvalue()
