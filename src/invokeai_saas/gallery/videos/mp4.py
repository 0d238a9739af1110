"""What an MP4 file says of its video: ISO/IEC 14496-12 (boxes) and 14496-15 (H.264 in them), as far as we need it.

The files are strangers'. Nothing is decoded here; boxes are looked up by fixed paths, never by recursion; each size
is checked against the box around it; and what is read and how many boxes are walked have limits. So a hostile file
costs some milliseconds and a few megabytes, and is refused.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_MOVIE_BYTES = 16 * 1024 * 1024  # of the index in memory: hours of video
MAX_FRAGMENTS = 20_000  # an hour in pieces of a fifth of a second
MAX_FRAGMENT_BYTES = 1024 * 1024  # of one fragment's index
MAX_BOXES = 100_000
MAX_PIXELS = 64 * 1024 * 1024  # of a frame, as in InvokeAI
_FTYP_WITHIN = 64 * 1024  # bytes, as in InvokeAI
_QUICKTIME = b"qt  "
_H264 = (b"avc1", b"avc3")
_PICTURE_SIZE = struct.Struct(">24x2H")  # width, height of a VisualSampleEntry, after its box's head


class NotPlayable(Exception):
    """The file is no video that the page can play. The message says why, to a person."""


class Facts(NamedTuple):
    """Of a file's first video track.

    Parameters:
        width, height: pixels, as the video is shown: turned, if the file says so.
        duration: seconds, more than 0.
        fps: frames a second, on average; None where it can't be told.
    """

    width: int
    height: int
    duration: float
    fps: float | None


class _Box(NamedTuple):
    kind: bytes
    body: memoryview


class _Track(NamedTuple):
    """Parameters: track_id: as fragments name it; timescale: units a second."""

    track_id: int
    timescale: int
    width: int
    height: int
    frames: int
    units: int


class _Walk:
    """Counts the boxes that were looked at."""

    def __init__(self) -> None:
        self._left = MAX_BOXES

    def step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise NotPlayable("The file has too many parts.")

    def boxes(self, data: memoryview) -> Iterator[_Box]:
        """The boxes that lie side by side in `data`."""
        position = 0
        while position + 8 <= len(data):
            self.step()
            size, kind = struct.unpack_from(">I4s", data, position)
            head = 8
            if size == 1:
                size, head = _number(data, position + 8, ">Q"), 16
            elif size == 0:
                size = len(data) - position
            if size < head or position + size > len(data):
                raise NotPlayable("The file is damaged: a part of it is longer than what holds it.")
            yield _Box(kind, data[position + head : position + size])
            position += size

    def find(self, data: memoryview, *path: bytes) -> memoryview | None:
        """The first box at a path of kinds, outermost first."""
        for kind in path:
            data_or_none = next((box.body for box in self.boxes(data) if box.kind == kind), None)
            if data_or_none is None:
                return None
            data = data_or_none
        return data

    def need(self, data: memoryview, *path: bytes) -> memoryview:
        found = self.find(data, *path)
        if found is None:
            raise NotPlayable("The file is damaged: it lacks a part that every MP4 video has.")
        return found


def _number(data: memoryview, position: int, form: str = ">I") -> int:
    try:
        value: int = struct.unpack_from(form, data, position)[0]
    except struct.error as error:
        raise NotPlayable("The file is damaged: a part of it is cut off.") from error
    return value


def read_facts(file: BinaryIO) -> Facts:
    """Reads what an MP4 says of its first video track. Blocks on the file.

    Parameters:
        file: seekable; where it stands afterwards is undefined.

    Raises:
        NotPlayable: it is no MP4, it is damaged or absurd, or its video is not H.264.
    """
    size = file.seek(0, os.SEEK_END)
    walk = _Walk()
    movie: memoryview | None = None
    fragments: list[memoryview] = []
    written = 0  # bytes of them
    is_mp4 = False
    for kind, start, end in _top_level(file, size, walk):
        if kind == b"ftyp":
            is_mp4 = start <= _FTYP_WITHIN and _read(file, start, min(4, end - start)) != _QUICKTIME
        elif not is_mp4:
            continue
        elif kind == b"moov" and movie is None:
            movie = _read_index(file, start, end, MAX_MOVIE_BYTES)
        elif kind == b"moof":
            fragments.append(_read_index(file, start, end, MAX_FRAGMENT_BYTES))
            written += len(fragments[-1])
            if written > MAX_MOVIE_BYTES or len(fragments) > MAX_FRAGMENTS:
                raise NotPlayable("The video is too long.")
    if not is_mp4:
        raise NotPlayable("This is not an MP4 file.")
    if movie is None:
        raise NotPlayable("The file is damaged: it has no index.")
    return _facts(walk, movie, fragments)


def _top_level(file: BinaryIO, size: int, walk: _Walk) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its body starts, where it ends) of each outermost box."""
    position = 0
    while position < size:
        walk.step()
        head = memoryview(_read(file, position, 16))
        length, kind = _number(head, 0), bytes(head[4:8])
        start = position + 8
        if len(head) < 8:
            raise NotPlayable("The file is cut off.")
        if length == 1:
            length, start = _number(head, 8, ">Q"), position + 16
        elif length == 0:
            length = size - position
        end = position + length
        if end < start or end > size:
            raise NotPlayable("This is not an MP4 file." if position == 0 else "The file is cut off.")
        yield kind, start, end
        position = end


def _read(file: BinaryIO, position: int, length: int) -> bytes:
    file.seek(position)
    return file.read(length)


def _read_index(file: BinaryIO, start: int, end: int, limit: int) -> memoryview:
    if end - start > limit:
        raise NotPlayable("The file's index is too large.")
    return memoryview(_read(file, start, end - start))


def _facts(walk: _Walk, movie: memoryview, fragments: list[memoryview]) -> Facts:
    track = _video_track(walk, movie)
    frames, units = track.frames, track.units
    if fragments:
        defaults = _fragment_defaults(walk, movie, track.track_id)
        for fragment in fragments:
            more_frames, more_units = _of_fragment(walk, fragment, track.track_id, defaults)
            frames, units = frames + more_frames, units + more_units
    if not frames or not units:
        raise NotPlayable("The video has no frames.")
    duration = units / track.timescale
    fps = frames / duration
    return Facts(track.width, track.height, duration, fps if math.isfinite(fps) and fps <= 1000 else None)


def _video_track(walk: _Walk, movie: memoryview) -> _Track:
    for box in walk.boxes(movie):
        if box.kind != b"trak":
            continue
        media = walk.need(box.body, b"mdia")
        handler = walk.need(media, b"hdlr")
        if bytes(handler[8:12]) == b"vide":
            return _track(walk, box.body, media)
    raise NotPlayable("The file has no video.")


def _track(walk: _Walk, track: memoryview, media: memoryview) -> _Track:
    head, turned = _track_head(walk.need(track, b"tkhd"))
    media_head = walk.need(media, b"mdhd")
    timescale = _number(media_head, 20 if _is_long(media_head) else 12)
    samples = walk.need(media, b"minf", b"stbl")
    width, height = _picture_size(walk, walk.need(samples, b"stsd"))
    if not timescale or not width or not height or width * height > MAX_PIXELS:
        raise NotPlayable("The file is damaged: its video's size or speed is absurd.")
    if turned:
        width, height = height, width
    frames, units = _times(walk.need(samples, b"stts"))
    return _Track(head, timescale, width, height, frames, units)


def _is_long(head: memoryview) -> bool:
    """Whether a box is of version 1, with times of 64 bits."""
    return _number(head, 0, ">B") == 1


def _track_head(head: memoryview) -> tuple[int, bool]:
    """(the track's id, whether it is shown turned by a quarter)."""
    long = _is_long(head)
    track_id = _number(head, 20 if long else 12)
    matrix = 52 if long else 40
    a, b = _number(head, matrix, ">i"), _number(head, matrix + 4, ">i")
    return track_id, a == 0 and b != 0


def _picture_size(walk: _Walk, descriptions: memoryview) -> tuple[int, int]:
    entry = next(walk.boxes(descriptions[8:]), None)
    if entry is None or entry.kind not in _H264:
        raise NotPlayable("The video is not encoded as H.264, which every browser plays.")
    if walk.find(entry.body[78:], b"avcC") is None:
        raise NotPlayable("The file is damaged: it does not say how its video is encoded.")
    width, height = _PICTURE_SIZE.unpack_from(entry.body, 0)
    return width, height


def _times(table: memoryview) -> tuple[int, int]:
    """(frames, units of time) that a track's own table tells of; (0, 0) where fragments do."""
    count = _number(table, 4)
    if 8 + count * 8 > len(table):
        raise NotPlayable("The file is damaged: a table of it is cut off.")
    frames = units = 0
    for repeated, delta in struct.iter_unpack(">II", table[8 : 8 + count * 8]):
        frames += repeated
        units += repeated * delta
    return frames, units


def _fragment_defaults(walk: _Walk, movie: memoryview, track_id: int) -> int:
    """Units of time that a frame of a fragment takes, unless the fragment says otherwise."""
    extends = walk.find(movie, b"mvex")
    for box in walk.boxes(extends) if extends is not None else ():
        if box.kind == b"trex" and _number(box.body, 4) == track_id:
            return _number(box.body, 12)
    return 0


def _of_fragment(walk: _Walk, fragment: memoryview, track_id: int, default: int) -> tuple[int, int]:
    """(frames, units of time) of one track in a fragment."""
    frames = units = 0
    for part in walk.boxes(fragment):
        if part.kind != b"traf":
            continue
        head = walk.need(part.body, b"tfhd")
        if _number(head, 4) != track_id:
            continue
        flags = _number(head, 0) & 0xFFFFFF
        at = 8 + 8 * bool(flags & 0x1) + 4 * bool(flags & 0x2)
        each = _number(head, at) if flags & 0x8 else default
        for run in (box.body for box in walk.boxes(part.body) if box.kind == b"trun"):
            more_frames, more_units = _of_run(run, each)
            frames, units = frames + more_frames, units + more_units
    return frames, units


def _of_run(run: memoryview, default: int) -> tuple[int, int]:
    flags, count = _number(run, 0) & 0xFFFFFF, _number(run, 4)
    at = 8 + 4 * bool(flags & 0x1) + 4 * bool(flags & 0x4)
    row = 4 * sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
    if not flags & 0x100:
        # Each frame has bytes somewhere: a count alone costs nothing to claim, so it must be believable.
        if count > 1_000_000:
            raise NotPlayable("The file is damaged: a fragment of it claims too many frames.")
        return count, count * default
    if at + row * count > len(run):
        raise NotPlayable("The file is damaged: a table of it is cut off.")
    rows = struct.iter_unpack(f">I{row - 4}x", run[at : at + row * count])
    return count, sum(units for (units,) in rows)
