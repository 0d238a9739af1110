"""The reader of MP4's boxes: what real files say, and what hostile ones get."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invokeai_saas.gallery.videos import mp4
from invokeai_saas.gallery.videos.mp4 import MAX_FRAGMENTS, Facts, NotPlayable, read_facts
from tests.gallery.videos.films import box, by_hand, film, table, turned


class _Counted(io.BytesIO):
    """Knows how much of it has been read."""

    given = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.given += len(data)
        return data


def _facts(data: bytes) -> Facts:
    file = _Counted(data)
    try:
        return read_facts(file)
    finally:
        assert file.given <= 2 * len(data) + 16  # the head of a box may reach into the next one


def _refused(data: bytes) -> str:
    with pytest.raises(NotPlayable) as refusal:
        _facts(data)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (lambda: film(), Facts(64, 48, 1.0, 10.0)),
        (lambda: film("-movflags", "+faststart"), Facts(64, 48, 1.0, 10.0)),
        (lambda: film("fragments"), Facts(64, 48, 1.0, 10.0)),
        (lambda: film(size="96x64", rate=25, seconds=2), Facts(96, 64, 2.0, 25.0)),
        (lambda: turned(), Facts(48, 64, 1.0, 10.0)),
        (lambda: by_hand(), Facts(64, 48, 1.0, 10.0)),
    ],
)
def test_facts_of_files_that_are_well(data, expected) -> None:  # type: ignore[no-untyped-def]
    found = _facts(data())
    assert found[:2] == expected[:2]
    assert found.duration == pytest.approx(expected.duration)
    assert found.fps == pytest.approx(expected.fps)


def test_other_containers_and_codecs_are_refused() -> None:
    assert "not an MP4" in _refused(film(form="mov"))
    assert "not an MP4" in _refused(film(form="matroska"))
    assert "H.264" in _refused(film(codec="mpeg4"))
    assert "no video" in _refused(by_hand(handler=b"soun"))
    assert "not an MP4" in _refused(by_hand(brand=b"qt  "))
    for nothing in (b"", b"\0", b"\0" * 100, b"GIF89a" + b"x" * 200, b"\x89PNG\r\n\x1a\n" + b"\0" * 64):
        _refused(nothing)


def test_the_type_box_must_come_early() -> None:
    early, late = box(b"free", b"\0" * 100), box(b"free", b"\0" * 70_000)
    assert _facts(early + by_hand()).width == 64
    assert "not an MP4" in _refused(late + by_hand())


def test_a_file_cut_off_anywhere_is_refused() -> None:
    data = film()
    for length in range(0, len(data) - 1, 97):
        _refused(data[:length])


@pytest.mark.parametrize("size", [9, 4_000, 2**31, 2**32 - 1])
def test_a_box_longer_than_what_holds_it(size: int) -> None:
    data = by_hand()
    at = data.index(b"trak") - 4
    assert "damaged" in _refused(data[:at] + struct.pack(">I", size) + data[at + 4 :])


@pytest.mark.parametrize("size", [0, 15, 2**63, 2**64 - 1])
def test_long_sizes_that_lie(size: int) -> None:
    _refused(box(b"ftyp", b"isom", table(0)) + struct.pack(">I4sQ", 1, b"moov", size) + by_hand()[20:])


def test_boxes_that_are_smaller_than_their_own_head() -> None:
    """Such a box would be read again and again, were it believed."""
    for size in range(2, 8):
        _refused(box(b"ftyp", b"isom", table(0)) + struct.pack(">I4s", size, b"moov") * 1000)


def test_boxes_within_boxes_without_end() -> None:
    nested = b""
    for _ in range(20_000):
        nested = box(b"moov", nested[-1_000_000:])
    _refused(box(b"ftyp", b"isom", table(0)) + nested)


def test_many_boxes_and_large_tables() -> None:
    free = box(b"free")
    assert "too many" in _refused(by_hand()[:-24] + free * (mp4.MAX_BOXES + 10))
    assert "index is too large" in _refused(
        box(b"ftyp", b"isom", table(0)) + box(b"moov", b"\0" * (mp4.MAX_MOVIE_BYTES + 1))
    )
    longest = table(0, 1_000_000) + struct.pack(">II", 1, 2**32 - 1) * 1_000_000
    assert _facts(by_hand(times=longest)).duration > 1e9  # the service's own limit refuses that


def test_tables_that_claim_more_than_they_have() -> None:
    assert "cut off" in _refused(by_hand(times=table(0, 2**32 - 1, 1, 1)))
    assert "cut off" in _refused(by_hand(times=b"\0\0\0"))


@pytest.mark.parametrize(
    "absurd",
    [
        {"width": 0},
        {"height": 0},
        {"width": 65_535, "height": 65_535},
        {"timescale": 0},
        {"times": table(0, 0)},
        {"times": table(0, 1, 10, 0)},
        {"times": table(0, 1, 0, 10)},
    ],
)
def test_absurd_values(absurd: dict[str, int]) -> None:
    _refused(by_hand(**absurd))  # type: ignore[arg-type]


def test_fragments_that_lie() -> None:
    run = box(b"trun", table(0, 2**32 - 1))
    part = box(b"moof", box(b"traf", box(b"tfhd", table(0x8, 1, 5)), run))
    assert "too many frames" in _refused(by_hand(times=table(0, 0)) + part)
    long_run = box(b"trun", table(0x100, 1000, 1))
    part = box(b"moof", box(b"traf", box(b"tfhd", table(0, 1)), long_run))
    assert "cut off" in _refused(by_hand(times=table(0, 0)) + part)


def test_more_fragments_than_a_film_has() -> None:
    """Looking at them took time by their number squared."""
    assert "too long" in _refused(by_hand(times=table(0, 0)) + box(b"moof") * (MAX_FRAGMENTS + 1))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_of_any_kind_is_refused_or_harmless(data: st.DataObject) -> None:
    """Whatever is changed: either a sensible answer or a refusal, never another error."""
    original = bytearray(film() if data.draw(st.booleans()) else film("fragments"))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(original) - 4))
        original[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    try:
        found = _facts(bytes(original))
    except NotPlayable:
        return
    assert found.width > 0
    assert found.height > 0
    assert found.duration > 0
