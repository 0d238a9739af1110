"""The picture that stands for a video: its first frame, decoded where it can do no harm.

A decoder is a lot of C that reads a stranger's bytes. It runs as a program of its own, ffmpeg, confined by
`_confined.py`, with the file on its standard input, one container format, one codec and one thread. What it writes is
taken as pixels and nothing else, and only as many as a thumbnail has. See docs/adr/0012.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from invokeai_saas.errors import SetupError, Unavailable
from invokeai_saas.gallery.videos.mp4 import NotPlayable
from invokeai_saas.settings import get_settings
from invokeai_saas.storage.encoding import encode_thumbnail

PIXELS = 256  # of the longer side, as of a picture's thumbnail
_CPU_SECONDS = 20
_SECONDS = 60.0  # by the clock: a machine may be busy
_MEMORY = 1536 * 1024 * 1024  # bytes; the largest frame that H.264 knows takes half
_PPM_BYTES = PIXELS * PIXELS * 3 + 64
_CONFINED = Path(__file__).with_name("_confined.py")
_ARGUMENTS = (
    "-nostdin", "-v", "error", "-protocol_whitelist", "fd", "-f", "mp4", "-threads", "1", "-c:v", "h264",
    "-i", "fd:", "-map", "0:v:0", "-frames:v", "1",
    "-vf", f"scale={PIXELS}:{PIXELS}:force_original_aspect_ratio=decrease",
    "-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "pipe:1",
)  # fmt: skip


@cache
def decoder() -> str:
    """The ffmpeg that is used: FFMPEG's, or the one that came with imageio-ffmpeg, or the PATH's.

    An image has FFMPEG alone; imageio-ffmpeg is installed where everything runs on one machine.

    Raises:
        SetupError: there is none.
    """
    found = str(get_settings().ffmpeg or "")
    if not found:
        try:
            import imageio_ffmpeg
        except ModuleNotFoundError:
            found = "ffmpeg"
        else:
            found = str(imageio_ffmpeg.get_ffmpeg_exe())
    program = shutil.which(found)
    if program is None:
        raise SetupError(
            f"There is no ffmpeg ({found}), which takes the first frame of videos.",
            "Install ffmpeg and set FFMPEG to its program.",
        )
    return program


async def first_frame(file: BinaryIO) -> bytes:
    """A WebP of a video's first frame, upright, no side longer than PIXELS.

    Parameters:
        file: a real file, without a buffer: the decoder reads and moves in it as well.

    Raises:
        NotPlayable: the decoder can't read it, or takes too much time or memory for it.
        Unavailable: it did not end in time by the clock.
    """
    ppm = await _decode(await asyncio.to_thread(decoder), file)
    return await asyncio.to_thread(_webp, ppm)


async def _decode(program: str, file: BinaryIO) -> bytes:
    file.seek(0)  # the child starts where we stand
    limits = (str(os.getpid()), str(_CPU_SECONDS), str(_MEMORY))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(_CONFINED), *limits, program, *_ARGUMENTS,
        stdin=file, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_SECONDS):
            ppm = await _at_most(process.stdout, _PPM_BYTES)
            code = await process.wait()
    except TimeoutError as error:
        raise Unavailable("Videos can't be looked at right now. Please try again.") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(
                process.pid, signal.SIGKILL
            )  # it leads a group of its own: whatever it started goes too
        await process.wait()
    if code != 0 or not ppm:
        raise NotPlayable("The video can't be decoded: the file may be damaged.")
    return ppm


async def _at_most(stream: asyncio.StreamReader, limit: int) -> bytes:
    data = b""
    while chunk := await stream.read(limit):
        data += chunk
        if len(data) > limit:
            raise NotPlayable("The video can't be decoded: the file may be damaged.")
    return data


def _webp(ppm: bytes) -> bytes:
    try:
        with Image.open(io.BytesIO(ppm), formats=["PPM"]) as image:
            return encode_thumbnail(image)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise NotPlayable("The video can't be decoded: the file may be damaged.") from error
