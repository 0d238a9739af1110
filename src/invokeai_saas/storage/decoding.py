"""Strangers' pictures: judged by their headers before anything is decoded, and refused in the same words everywhere.

All of it blocks: call it in a thread, and in turns (`Services.decodes`), for decoding takes memory and a processor.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from PIL import Image, ImageOps

from invokeai_saas.errors import PayloadTooLarge, UnsupportedMediaType
from invokeai_saas.storage.headers import has_too_many_scans, webp_header

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
SMALL_SIDE = 256  # pixels; InvokeAI's size of thumbnails and covers
SMALL_MAX_PIXELS = 32_000_000  # of a picture that a small one is made from
_LONGEST_SIDE = 32_768  # pixels: browsers draw nothing longer


def open_picture(source: IO[bytes], max_pixels: int, *, still: bool = True) -> Image.Image:
    """The picture with its header read and nothing decoded. Decode it within `refusing_damage`.

    Parameters:
        max_pixels: width times height that may be decoded.
        still: refuse pictures that move; otherwise their first frame is meant.

    Raises:
        UnsupportedMediaType: it is no picture of a kind that is taken, it is damaged, or it moves.
        PayloadTooLarge: it has too many pixels.
    """
    webp = webp_header(source)
    if webp:
        _check_size(webp.width, webp.height, max_pixels)
        _check_still(moves=still and webp.animated)
    with refusing_damage():
        image = Image.open(source, formats=FORMATS)
        # A phone's photo may come with a second view of it (MPO); the first is the photo.
        moves = still and image.format != "MPO" and bool(getattr(image, "is_animated", False))
    _check_size(*image.size, max_pixels)
    _check_still(moves=moves)
    if image.format in ("JPEG", "MPO") and has_too_many_scans(source):
        raise UnsupportedMediaType("This JPEG is built in a way that takes too long to decode.")
    return image


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Whatever a decoder makes of a stranger's file is that file's fault: they raise errors of every kind."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PayloadTooLarge("This picture has too many pixels. Make it smaller and try again.") from error
    except MemoryError:
        raise
    except Exception as error:
        raise UnsupportedMediaType(
            "This file could not be read as a picture. PNG, JPEG, WebP, GIF and BMP files can be uploaded."
        ) from error


def small_picture(data: bytes) -> bytes:
    """A fresh WebP of a picture, upright, SMALL_SIDE pixels at its longer side; of one that moves, its first frame.

    Nothing of the file that was sent is kept but what it shows. Raises what `open_picture` raises.
    """
    with open_picture(io.BytesIO(data), SMALL_MAX_PIXELS, still=False) as image, refusing_damage():
        image.draft("RGB", (2 * SMALL_SIDE, 2 * SMALL_SIDE))  # JPEG is decoded small where it can be
        small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((SMALL_SIDE, SMALL_SIDE))
    with suppress(Exception):  # EXIF that can't be read says nothing of the picture
        small = ImageOps.exif_transpose(small)
    with io.BytesIO() as out:
        small.save(out, "WEBP", quality=85, exif=b"")
        return out.getvalue()


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels or max(width, height) > _LONGEST_SIDE:
        raise PayloadTooLarge(
            f"This picture has {width} x {height} pixels; {max_pixels / 10**6:.0f} million can be uploaded,"
            f" and {_LONGEST_SIDE} along a side. Make it smaller and try again.",
            data={"width": width, "height": height, "limit": max_pixels},
        )


def _check_still(*, moves: bool) -> None:
    if moves:
        raise UnsupportedMediaType("This picture moves. Only still ones can be uploaded.")
