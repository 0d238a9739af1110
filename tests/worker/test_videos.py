"""Videos of jobs, on real servers: made, read again, and nobody else's."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from invokeai_saas.errors import NotFound, PayloadTooLarge
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from invokeai_saas.worker import videos
from invokeai_saas.worker.contract import ClaimedJob, JobContext, Outcome, StoredVideo
from tests.apps import RunningApi, Subject
from tests.gallery.videos.films import film
from tests.graphs import add_model
from tests.money import violations
from tests.servers import TestDatabase
from tests.worker.test_loop import _ended, _Engine, _enqueue
from tests.workers import working

NAME = "0d6a9d3a-7d0e-4a7b-8a53-0d7f3a0e9d11.mp4"
VIDEOS = "/api/v1/videos"
Step = Callable[[ClaimedJob, JobContext], None]


@pytest.fixture(autouse=True)
def model(database: TestDatabase) -> dict[str, Any]:
    return add_model(database)


def _save(context: JobContext, data: bytes | None = None, board_id: str | None = None) -> StoredVideo:
    source = Path(tempfile.mkstemp(suffix=".mp4")[1])
    source.write_bytes(film() if data is None else data)
    stored = context.videos().save(
        source, Image.new("RGB", (64, 48)), video_name=NAME, width=64, height=48, duration=1.0, fps=10.0,
        node_id="n", session_id="s", video_origin="internal", video_category="general", is_intermediate=False,
        board_id=board_id, metadata='{"seed": 1}', workflow='{"name": "w"}', graph=None,
    )  # fmt: skip
    assert not source.exists()
    return stored


def _working(step: Step, status: Any = "completed") -> _Engine:
    def run(job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        step(job, context)
        broken = ("Broken", "It broke.", "") if status == "failed" else (None, None, None)
        return Outcome(status, "{}", *broken)

    return _Engine(run)


async def _one_job(subject: Subject, settings: Settings, engine: _Engine) -> dict[str, Any]:
    async with working(settings, engine):
        return await _ended(subject, (await _enqueue(subject))[0])


def _left_on_this_machine() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("invokeai-saas-job-*"))


async def _files(objects: ObjectStore, subject: Subject) -> int:
    return sum(len(chunk) for chunk in objects._store.list(f"users/{subject.user_id}"))


async def test_a_jobs_video_is_in_the_gallery_once_it_is_settled(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    board = (await ada.post("/api/v1/boards/", params={"board_name": "Films"})).json()["board_id"]
    before, seen = _left_on_this_machine(), []

    def step(_: ClaimedJob, context: JobContext) -> None:
        stored = _save(context, board_id=board)
        assert context.videos().record(NAME) == stored
        seen.append(context.videos().file(NAME).read_bytes())
        with pytest.raises(NotFound):
            context.load_image(NAME)

    assert (await _one_job(ada, settings, _working(step)))["status"] == "completed"
    assert seen == [film()]
    video = (await ada.get(f"{VIDEOS}/i/{NAME}")).json()
    assert (video["duration"], video["fps"], video["width"], video["board_id"]) == (1.0, 10.0, 64, board)
    assert (video["has_workflow"], video["node_id"], video["video_origin"]) == (True, "n", "internal")
    assert (await ada.get(video["video_url"])).content == film()
    assert (await ada.get(video["thumbnail_url"])).status_code == 200
    assert (await ada.get(f"{VIDEOS}/i/{NAME}/metadata")).json() == {"seed": 1}
    assert (await bob.get(f"{VIDEOS}/i/{NAME}")).status_code == 404
    assert violations(database) == {}
    assert _left_on_this_machine() == before


async def test_a_failed_jobs_video_is_nowhere(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    ada = await api.person("ada@example.com")
    before = _left_on_this_machine()
    ended = await _one_job(ada, settings, _working(lambda _, context: void(_save(context)), "failed"))
    assert ended["status"] == "failed"
    assert (await ada.get(f"{VIDEOS}/i/{NAME}")).status_code == 404
    assert await _files(open_object_store(settings), ada) == 0
    assert violations(database) == {}
    assert _left_on_this_machine() == before


def void(_: object) -> None: ...


async def test_a_job_reads_only_its_own_persons_videos(
    api: RunningApi, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    form = {"file": ("a.mp4", film(), "video/mp4")}
    asked = {"video_category": "user", "is_intermediate": "false"}
    name = (await ada.post(f"{VIDEOS}/upload", params=asked, files=form)).json()["video_name"]
    seen: dict[str, list[object]] = {}

    def step(job: ClaimedJob, context: JobContext) -> None:
        found: list[object] = []
        for look in (lambda: context.videos().record(name).duration, lambda: context.videos().file(name)):
            try:
                answer = look()
                found.append(answer.read_bytes() if isinstance(answer, Path) else answer)
            except NotFound as error:
                found.append(str(error))
        with pytest.raises(NotFound):
            context.load_image(name)
        seen[job.user_id] = found

    for person in (ada, bob):
        assert (await _one_job(person, settings, _working(step)))["status"] == "completed"
    missing = "This video was not found."
    assert seen == {str(ada.user_id): [1.0, film()], str(bob.user_id): [missing, missing]}

    def too_much(_: ClaimedJob, context: JobContext) -> None:
        monkeypatch.setattr(videos, "MAX_FETCHED_BYTES", 100)
        with pytest.raises(PayloadTooLarge):
            context.videos().file(name)
        monkeypatch.setattr(videos, "MAX_SAVED_BYTES", 100)
        context.videos().save(
            Path(__file__), Image.new("RGB", (1, 1)), video_name="x.mp4", width=1, height=1, duration=1.0, fps=None,
            node_id="n", session_id=None, video_origin="internal", video_category="general", is_intermediate=False,
            board_id=None, metadata=None, workflow=None, graph=None,
        )  # fmt: skip

    ended = await _one_job(ada, settings, _working(too_much))
    assert (ended["status"], ended["error_type"]) == ("failed", "payload_too_large")
