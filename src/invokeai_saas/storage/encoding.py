"""Pictures as the files that are kept of them: a PNG with InvokeAI's text chunks, and a small WebP."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import IO

from PIL import Image, PngImagePlugin

_THUMBNAIL_PIXELS = 256
# The fastest: pictures hardly shrink further, and encoding shares the machine with the GPU's feeder.
_PNG_LEVEL = 1


def encode_png(image: Image.Image, parts: Mapping[str, str | None], out: IO[bytes]) -> int:
    """Writes the PNG; answers its size in bytes.

    Parameters:
        parts: text chunks by name, which other tools read back; those that are empty are left out.
    """
    info = PngImagePlugin.PngInfo()
    for name, text in parts.items():
        if text:
            info.add_text(name, text)
    image.save(out, "PNG", pnginfo=info, compress_level=_PNG_LEVEL)
    return out.tell()


def encode_thumbnail(image: Image.Image) -> bytes:
    """A WebP that fits into 256 x 256 pixels."""
    mode = "RGBA" if "A" in image.getbands() else "RGB"
    # Converted last where that is possible: another whole copy of a large picture takes hundreds of megabytes.
    small = image if image.mode in ("L", "RGB", "RGBA") else image.convert(mode)
    factor = _THUMBNAIL_PIXELS / max(image.size)
    if factor < 1:
        width, height = (max(1, round(side * factor)) for side in image.size)
        small = small.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    small = small.convert(mode)
    with io.BytesIO() as out:
        small.save(out, "WEBP", quality=80)
        return out.getvalue()
