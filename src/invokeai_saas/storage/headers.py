"""What a file's first bytes say, where reading them with the library would already cost memory or time."""

from __future__ import annotations

from typing import IO, NamedTuple

_VP8X_ANIMATED = 0x02
# Scans of one JPEG. A progressive one has about ten; each goes over the whole picture, so that a megabyte of them
# keeps a processor busy for an hour.
_MOST_SCANS = 100
_PIECE = 2**20


class WebPHeader(NamedTuple):
    """Parameters: width, height: pixels."""

    width: int
    height: int
    animated: bool


def webp_header(file: IO[bytes]) -> WebPHeader | None:
    """The size that a WebP declares, before its decoder makes room for it; None for anything else.

    Of https://developers.google.com/speed/webp/docs/riff_container and, for the two bitstreams, RFC 6386 (9.1) and
    RFC 9649 (3.4).
    """
    file.seek(0)
    head = file.read(30)
    file.seek(0)
    if len(head) < 30 or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    if head[12:16] == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
        return WebPHeader(width, height, bool(head[20] & _VP8X_ANIMATED))
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return WebPHeader((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, False)
    width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    return WebPHeader(width, height, False)


def has_too_many_scans(file: IO[bytes]) -> bool:
    """Whether a JPEG has more scans than any program writes.

    A scan begins with FF DA (ITU-T T.81, B.1.1.3), which compressed data never holds: there 00 follows each FF.
    """
    file.seek(0)
    scans, last = 0, b""
    while piece := file.read(_PIECE):
        scans += (last + piece).count(b"\xff\xda")
        last = piece[-1:]
    file.seek(0)
    return scans > _MOST_SCANS
