"""Picture files as people's disks hold them: good ones, damaged ones, and ones made to do harm."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

from PIL import Image, PngImagePlugin

WORKFLOW: dict[str, Any] = {
    "name": "w", "author": "", "description": "", "version": "1", "contact": "", "tags": "", "notes": "",
    "exposedFields": [], "meta": {"version": "3.0.0", "category": "user"}, "nodes": [], "edges": [],
}  # fmt: skip
GRAPH: dict[str, Any] = {"id": "g", "nodes": {}, "edges": []}


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A gradient, in any mode that holds one."""
    return Image.linear_gradient("L").resize(size).convert("RGB").convert(mode)


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    with io.BytesIO() as out:
        image.save(out, format, **options)
        return out.getvalue()


def described_png(**texts: Any) -> bytes:
    """A PNG with text chunks; those that are no text yet are written as JSON."""
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_text(name, text if isinstance(text, str) else json.dumps(text))
    return encoded(picture(), pnginfo=info)


def animation(format: str) -> bytes:
    frames = [picture().point(lambda value, n=n: value // (n + 1)) for n in range(3)]
    return encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=100)


def phone_photo(orientation: int = 6) -> bytes:
    """A JPEG that lies on its side and says where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SecretCameraMaker"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 7.0)
    return encoded(picture(), "JPEG", exif=exif)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int) -> bytes:
    """A few hundred bytes that say they are a huge picture, one bit a pixel, and keep part of the promise."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def webp_bomb(side: int = 16_000) -> bytes:
    """A WebP whose header declares a canvas that its decoder would make room for."""
    small = encoded(picture(), "WEBP", lossless=True)
    canvas = (side - 1).to_bytes(3, "little") * 2
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas + small[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_of_many_scans(scans: int = 2000) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    whole = encoded(picture(), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * scans + whole[-2:]


REFUSED: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 415),
    "text": (b"<script>alert(1)</script>", 415),
    "a page that begins like a GIF": (b"GIF89a<script>alert(1)</script>", 415),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>', 415),
    "a PNG's first bytes": (encoded(picture())[:60], 415),
    "half a PNG": (encoded(picture(size=(300, 300)).effect_spread(90))[:20_000], 415),
    "half a JPEG": (encoded(picture(size=(300, 300)).effect_spread(90), "JPEG")[:5_000], 415),
    "half a WebP": (encoded(picture(size=(300, 300)).effect_spread(90), "WEBP")[:2_000], 415),
    "a PNG with a wrong checksum": (encoded(picture()).replace(b"IDAT", b"IDAX"), 415),
    "a format that is not taken": (encoded(picture(), "TIFF"), 415),
    "an icon": (encoded(picture(), "ICO"), 415),
    "a moving GIF": (animation("GIF"), 415),
    "a moving PNG": (animation("PNG"), 415),
    "a moving WebP": (animation("WEBP"), 415),
    "a JPEG of endless scans": (jpeg_of_many_scans(), 415),
    "a bomb": (png_bomb(30_000, 30_000), 413),
    "a bomb beyond the library's own limit": (png_bomb(200_000, 200_000), 413),
    "a bomb of the greatest numbers": (png_bomb(2**31 - 1, 2**31 - 1), 413),
    "a line without end": (png_bomb(40_000, 1), 413),
    "a bomb in a WebP's header": (webp_bomb(), 413),
}
