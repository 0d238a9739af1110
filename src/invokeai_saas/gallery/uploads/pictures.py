"""From a stranger's file to a PNG and a thumbnail that we made ourselves. All of it blocks: call it in a thread.

Only pixels, the meaning of their colours and InvokeAI's three texts are taken over. Where a picture was taken, with
which camera, and whatever else a file may carry besides, is left behind.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from PIL import Image, ImageOps

from invokeai_saas.gallery.uploads.schemas import Dimensions
from invokeai_saas.gallery.uploads.texts import Described, read_texts
from invokeai_saas.storage.decoding import open_picture, refusing_damage
from invokeai_saas.storage.encoding import encode_png, encode_thumbnail

_KEPT_MODES = ("L", "RGB", "RGBA", "I;16")
_COLOUR_MODES = ("RGB", "RGBA", "P", "PA")
_MOST_COLOURS = 200  # a picture with fewer is a map of areas, whose colours must not mix


@dataclass(frozen=True)
class Request:
    """What is asked of an upload.

    Parameters:
        max_pixels: width times height that may be decoded.
        max_text: bytes of one of the texts.
        crop_visible: cut off what is transparent (or black, without transparency) around the picture.
        resize_to: the size that it shall have, in pixels.
        metadata: JSON text, in place of the file's.
    """

    max_pixels: int
    max_text: int
    crop_visible: bool = False
    resize_to: Dimensions | None = None
    metadata: str | None = None


@dataclass(frozen=True)
class Prepared:
    """What is kept of an upload. Parameters: size: of `png`, bytes; width, height: pixels."""

    png: IO[bytes]
    size: int
    thumbnail: bytes
    width: int
    height: int
    texts: dict[str, Described | None]


def prepare(source: IO[bytes], request: Request) -> Prepared:
    """Decodes, changes and encodes. The caller closes `png`.

    Raises:
        UnsupportedMediaType: it is no picture of a kind that is taken, it is damaged, or it moves.
        PayloadTooLarge: it has too many pixels.
    """
    with open_picture(source, request.max_pixels) as image:
        with refusing_damage():
            image.load()
        texts = read_texts({} if request.resize_to else image.info, request.metadata, request.max_text)
        picture = _plain(image)
    if request.crop_visible:
        picture = picture.crop(picture.getbbox())
    if request.resize_to:
        picture = _resized(picture, request.resize_to)
    chunks = {name: found.text if found else None for name, found in texts.items()}
    png = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    try:
        size = encode_png(picture, chunks, png)
        return Prepared(png, size, encode_thumbnail(picture), *picture.size, texts)
    except BaseException:
        png.close()
        raise


def _plain(image: Image.Image) -> Image.Image:
    """Upright, in a mode that PNG and nodes know, with nothing in `info` but what its colours mean."""
    profile = image.info.get("icc_profile")
    fits = image.mode in _COLOUR_MODES or image.mode == "L"  # other modes change their colours' meaning below
    with suppress(Exception):  # EXIF that can't be read says nothing of the picture
        ImageOps.exif_transpose(image, in_place=True)
    picture = image
    if "transparency" in image.info and image.mode != "I;16":
        picture = image.convert("RGBA")
    elif image.mode not in _KEPT_MODES:
        picture = image.convert(_nearest_mode(image))
    picture.info = {"icc_profile": profile} if profile and fits else {}
    return picture


def _nearest_mode(image: Image.Image) -> str:
    if image.mode == "1":
        return "L"
    return "RGBA" if {"A", "a"} & set(image.getbands()) else "RGB"


def _resized(picture: Image.Image, size: Dimensions) -> Image.Image:
    """In another size, as guides for ControlNet need it: few colours stay few, and so does transparency."""
    wanted = (size.width, size.height)
    picture = _as_rgba(picture)
    if picture.size == wanted:
        return picture
    colours = picture.convert("RGB")
    found = [colour for _, colour in colours.getcolors(_MOST_COLOURS) or ()]
    if 2 < len(found) < _MOST_COLOURS:
        method = Image.Resampling.NEAREST
    elif size.width * size.height < picture.width * picture.height:
        method = Image.Resampling.BOX
    else:
        method = Image.Resampling.BICUBIC
    resized = colours.resize(wanted, method)
    if _is_drawing(found):
        resized = resized.convert("L").point(_black_or_white).convert("RGB")
    resized.putalpha(picture.getchannel("A").resize(wanted, method).point(_black_or_white))
    resized.info = picture.info
    return resized


def _is_drawing(colours: list[Any]) -> bool:
    """Whether there are two colours, black and white: lines, which shall stay sharp."""
    return len(colours) == 2 and max(min(colours)) < 16 and min(max(colours)) > 240


def _as_rgba(picture: Image.Image) -> Image.Image:
    info = picture.info
    converted = (picture.convert("RGB") if picture.mode == "I;16" else picture).convert("RGBA")
    converted.info = info
    return converted


def _black_or_white(value: int) -> int:
    return 255 if value > 127 else 0
