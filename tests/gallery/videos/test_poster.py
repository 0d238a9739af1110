"""The decoder in its cage."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import psutil
import pytest

from invokeai_saas.errors import SetupError, Unavailable
from invokeai_saas.gallery.videos import poster
from invokeai_saas.gallery.videos.mp4 import NotPlayable
from invokeai_saas.gallery.videos.poster import first_frame
from invokeai_saas.services import check_settings
from invokeai_saas.settings import Settings, get_settings
from tests.gallery.videos.films import by_hand, film, shown, turned
from tests.waiting import eventually


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process groups that decoders were started as. Our children alone would not do: the suite's servers, which
    come and go with processes of their own, are among them, and what a decoder left behind is not.
    """
    started: list[int] = []
    start = asyncio.create_subprocess_exec

    async def noting(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)
        started.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noting)
    return started


def _alive(group: int) -> list[int]:
    """The processes of a group. Those that have ended and that nobody has asked for are not among them."""
    members: list[int] = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
    return members


async def _none_left(groups: list[int]) -> None:
    [group] = groups
    await eventually(lambda: not _alive(group))


@contextmanager
def _file(data: bytes) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(data)
        yield file


async def _poster(data: bytes) -> bytes:
    with _file(data) as file:
        return await first_frame(file)


async def test_the_first_frame_upright_and_small() -> None:
    assert shown(await _poster(film())) == (256, 192)
    assert shown(await _poster(turned())) == (192, 256)
    assert shown(await _poster(film("fragments", size="640x480"))) == (256, 192)


async def test_what_cannot_be_decoded_is_refused() -> None:
    pictures, index = film().index(b"mdat") + 4, film().index(b"moov") - 4
    emptied = film()[:pictures] + b"\0" * (index - pictures) + film()[index:]
    mpeg4 = film(codec="mpeg4")
    for data in (by_hand(), emptied, film(form="matroska"), mpeg4, b"", b"ftyp" * 1000):
        with pytest.raises(NotPlayable):
            await _poster(data)


async def test_no_file_but_its_own_is_opened(tmp_path: Path) -> None:
    """A playlist would have a decoder open other files and addresses: no protocol but the descriptor is allowed."""
    other = tmp_path / "other.mp4"
    other.write_bytes(film())
    with pytest.raises(NotPlayable):
        await _poster(f"ffconcat version 1.0\nfile {other}\n".encode())


def _program(tmp_path: Path, body: str) -> str:
    path = tmp_path / "decoder"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("while :; do :; done", NotPlayable),  # takes the processor: the limit of its time ends it
        ("exec /usr/bin/tail /dev/zero", NotPlayable),  # takes memory
        ("exec cat /dev/zero", NotPlayable),  # writes without end
        ("echo no picture", NotPlayable),
        ("exit 3", NotPlayable),
        ("sleep 600", Unavailable),  # hangs
    ],
)
async def test_decoders_that_go_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: list[int], body: str, problem: type[Exception]
) -> None:
    monkeypatch.setattr(poster, "decoder", lambda: _program(tmp_path, body))
    monkeypatch.setattr(poster, "_CPU_SECONDS", 1)
    monkeypatch.setattr(poster, "_MEMORY", 256 * 2**20)
    monkeypatch.setattr(poster, "_SECONDS", 3.0 if problem is Unavailable else 60.0)  # machines may be busy
    with pytest.raises(problem):
        await _poster(film())
    await _none_left(groups)


async def test_it_is_told_nothing_and_may_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "secret")
    said = tmp_path / "said"
    said.touch()
    body = f'[ -z "$DATABASE_URL" ] || exit 0; echo x >> {said}; exit 1'
    monkeypatch.setattr(poster, "decoder", lambda: _program(tmp_path, body))
    with pytest.raises(NotPlayable):
        await _poster(film())
    assert said.read_text() == ""


async def test_who_gives_up_leaves_no_decoder_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: list[int]
) -> None:
    monkeypatch.setattr(poster, "decoder", lambda: _program(tmp_path, "sleep 600; exit 1"))
    asked = asyncio.create_task(_poster(film()))
    await eventually(lambda: groups and len(_alive(groups[0])) == 2)  # the shell and what it started
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await _none_left(groups)


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in an image: imageio-ffmpeg is not installed there."""
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    get_settings.cache_clear()
    poster.decoder.cache_clear()
    yield
    get_settings.cache_clear()
    poster.decoder.cache_clear()


def test_an_image_names_its_decoder(no_wheel: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = _program(tmp_path, "exit 0")
    monkeypatch.setenv("FFMPEG", program)
    assert poster.decoder() == program


def test_without_the_wheel_the_path_is_searched(
    no_wheel: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ffmpeg").symlink_to(_program(tmp_path, "exit 0"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert poster.decoder() == str(tmp_path / "ffmpeg")


def test_without_any_the_api_does_not_start(
    no_wheel: None, monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    monkeypatch.setenv("FFMPEG", str(tmp_path / "nothing"))
    with pytest.raises(SetupError, match="ffmpeg"):
        check_settings(settings)
