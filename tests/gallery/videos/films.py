"""Small videos, made here: real ones by ffmpeg, and boxes put together by hand for those that no program writes."""

from __future__ import annotations

import struct
import subprocess
from functools import cache

import imageio_ffmpeg
from PIL import Image


@cache
def film(
    *options: str,
    size: str = "64x48",
    rate: int = 10,
    seconds: float = 1.0,
    codec: str = "libx264",
    form: str = "mp4",
    before: tuple[str, ...] = (),
) -> bytes:
    """A test picture that moves. Parameters: before: options of the input; options: of the output."""
    with_index_last = ("-movflags", "+frag_keyframe+empty_moov") if "fragments" in options else ()
    rest = [option for option in options if option != "fragments"]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", *before,
        "-f", "lavfi", "-i", f"testsrc=size={size}:rate={rate}:duration={seconds}",
        "-c:v", codec, "-pix_fmt", "yuv420p", "-g", "5", *with_index_last, *rest,
    ]  # fmt: skip
    return _written(command, form)


@cache
def turned() -> bytes:
    """The same, to be shown turned by a quarter."""
    return _remuxed(film(), "-display_rotation", "90")


def _remuxed(data: bytes, *before: str) -> bytes:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source.mp4")
        source.write_bytes(data)
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-nostdin",
            "-v",
            "error",
            *before,
            "-i",
            str(source),
            "-c",
            "copy",
        ]
        return _written(command, "mp4")


def _written(command: list[str], form: str) -> bytes:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        subprocess.run([*command, "-f", form, str(out)], check=True, timeout=120)
        return out.read_bytes()


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def table(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def by_hand(
    *,
    width: int = 64,
    height: int = 48,
    timescale: int = 10,
    times: bytes | None = None,
    entry: bytes = b"avc1",
    handler: bytes = b"vide",
    brand: bytes = b"isom",
    more: bytes = b"",
) -> bytes:
    """A file whose index is well-formed and says what it is told to; there is no picture in it.

    Parameters:
        times: the table of the frames' times; ten frames of one unit by default.
        more: boxes within the movie, after its track.
    """
    sample = b"\0" * 24 + struct.pack(">2H", width, height) + b"\0" * 50
    description = table(0, 1) + box(entry, sample, box(b"avcC", b"\1" * 8))
    samples = box(b"stsd", description) + box(b"stts", table(0, 1, 10, 1) if times is None else times)
    media = (
        box(b"mdhd", table(0, 0, 0, timescale, 10))
        + box(b"hdlr", table(0, 0), handler, b"\0" * 12)
        + box(b"minf", box(b"stbl", samples))
    )
    matrix = table(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    head = box(b"tkhd", table(0, 0, 0, 1, 0, 10, 0, 0, 0, 0), matrix, table(width << 16, height << 16))
    track = box(b"trak", head, box(b"mdia", media))
    return box(b"ftyp", brand, table(0)) + box(b"moov", track, more) + box(b"mdat", b"\0" * 16)


def shown(data: bytes) -> tuple[int, int]:
    """The size of a picture file."""
    import io

    with Image.open(io.BytesIO(data)) as image:
        return image.size
