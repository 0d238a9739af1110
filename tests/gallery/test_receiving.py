"""Files on their way here: slow senders hold nobody else up, and are not waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from invokeai_saas.errors import Unavailable
from invokeai_saas.gallery.uploads import receiving
from invokeai_saas.settings import Settings
from invokeai_saas.slots import Spool
from tests.apps import RunningApi, Subject, running_api
from tests.gallery.files import encoded, picture
from tests.gallery.videos.films import film
from tests.waiting import eventually

VIDEO = ("/api/v1/videos/upload", {"video_category": "user", "is_intermediate": "false"}, "a.mp4")
IMAGE = ("/api/v1/images/upload", {"image_category": "user", "is_intermediate": "false"}, "a.png")
Target = tuple[str, dict[str, str], str]
BOTH = pytest.mark.parametrize(("target", "data"), [(VIDEO, film), (IMAGE, lambda: encoded(picture()))])


def _send(subject: Subject, target: Target, data: bytes, gate: asyncio.Event) -> asyncio.Task[httpx.Response]:
    """Sends half of a form, and the rest when the gate opens."""
    path, asked, name = target
    request = subject.client.build_request("POST", path, params=asked, files={"file": (name, data)})
    body = request.read()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        await gate.wait()
        yield body[len(body) // 2 :]

    headers = {"content-type": request.headers["content-type"]}
    return asyncio.create_task(subject.client.post(path, params=asked, content=slowly(), headers=headers))


async def _at_once(subject: Subject, target: Target, data: bytes) -> httpx.Response:
    path, asked, name = target
    return await subject.post(path, params=asked, files={"file": (name, data)})


@BOTH
async def test_slow_senders_hold_no_place_that_others_want(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, target: Target, data: Callable[[], bytes]
) -> None:
    monkeypatch.setattr(receiving, "_GRACE_SECONDS", 300.0)
    gate = asyncio.Event()
    people = [await api.person(f"slow{number}@example.com") for number in range(5)]
    slow = [_send(person, target, data(), gate) for person in people]
    await asyncio.sleep(0.5)
    async with asyncio.timeout(240):
        assert (await _at_once(await api.person("ada@example.com"), target, data())).status_code == 201
        assert (await _at_once(people[0], target, data())).status_code == 201  # one's own come at a time, too
    assert not any(task.done() for task in slow)
    gate.set()
    assert [(await task).status_code for task in slow] == [201] * 5


@asynccontextmanager
async def _person(settings: Settings, **changes: object) -> AsyncIterator[tuple[RunningApi, Subject]]:
    async with running_api(settings.model_copy(update=changes)) as api:
        yield api, await api.person("ada@example.com")


@BOTH
async def test_who_sends_too_slowly_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, target: Target, data: Callable[[], bytes]
) -> None:
    monkeypatch.setattr(receiving, "_GRACE_SECONDS", 0.3)
    async with _person(settings, slowest_upload=2**40) as (api, ada):
        async with asyncio.timeout(240):
            answer = await _send(ada, target, data(), asyncio.Event())
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "took too long" in answer.json()["detail"]
        assert api.services.spool._left == api.settings.max_spooled_bytes


@BOTH
async def test_the_disk_has_an_end(settings: Settings, target: Target, data: Callable[[], bytes]) -> None:
    room = len(data()) + len(data()) // 2 + 1500
    async with _person(settings, max_spooled_bytes=room) as (api, ada):
        gate = asyncio.Event()
        slow = _send(ada, target, data(), gate)
        await eventually(lambda: api.services.spool._left < room)
        padded = data() + bytes(2000)
        refused = await _at_once(ada, target, padded)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert int(refused.headers["retry-after"]) > 0
        gate.set()
        assert (await slow).status_code == 201
        assert api.services.spool._left == room
        assert (await _at_once(ada, target, data())).status_code == 201


def test_a_spool_counts() -> None:
    spool = Spool(10)
    spool.take(6)
    with pytest.raises(Unavailable):
        spool.take(5)
    spool.give(6)
    spool.take(10)
