"""Nodes of videos, run for real: ffmpeg is all that they need."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from invokeai.app.util.video_thumbnails import probe_video

from invokeai_saas.worker.contract import Engine, Outcome
from invokeai_saas.worker.engine import videos
from invokeai_saas.worker.engine.absent import NotOnSharedWorker
from invokeai_saas.worker.engine.engine import InvokeAIEngine

from .conftest import Person
from .recording import RecordingContext, claimed, graph, never

NOWHERE = "00000000-0000-4000-8000-000000000000.mp4"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A second of a test picture, 64 x 48 and 10 frames a second."""
    path = tmp_path / "film.mp4"
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-f", "lavfi",
        "-i", "testsrc=size=64x48:rate=10:duration=1", "-c:v", "libx264", "-pix_fmt", "yuv420p", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=120)
    return path


def _keep(context: RecordingContext, film: Path, name: str) -> str:
    """Puts a video into a person's gallery, as an upload would."""
    from PIL import Image

    copy = film.with_name(f"copy-of-{name}")
    copy.write_bytes(film.read_bytes())
    context.films.save(
        copy, Image.new("RGB", (8, 8)), video_name=name, width=64, height=48, duration=1.0, fps=10.0, node_id=None,
        session_id=None, video_origin="external", video_category="user", is_intermediate=False, board_id=None,
        metadata=None, workflow=None, graph=None,
    )  # fmt: skip
    context.films.saved.clear()
    return name


def _field(name: str) -> dict[str, str]:
    return {"video_name": name}


def _run(engine: Engine, context: RecordingContext, *nodes: dict[str, Any], **options: Any) -> Outcome:
    return engine.run(claimed(graph(*nodes, **options), context.user_id), context, never())


def _result(context: RecordingContext, node_type: str) -> dict[str, Any]:
    """What a node answered, by its type."""
    (found,) = (
        done["result"]
        for done in context.named("invocation_complete")
        if done["invocation"]["type"] == node_type
    )
    result: dict[str, Any] = found
    return result


def test_trimming_and_joining_make_videos_of_the_person(engine: Engine, person: Person, film: Path) -> None:
    ada = person("ada")
    source = _keep(ada, film, "a.mp4")
    outcome = _run(
        engine,
        ada,
        {
            "id": "trim",
            "type": "extract_video_range",
            "video": _field(source),
            "start_frame": 2,
            "end_frame": 5,
        },
        {"id": "both", "type": "collect"},
        {"id": "whole", "type": "video", "video": _field(source)},
        {"id": "join", "type": "video_concat", "is_intermediate": False, "board": {"board_id": "b1"}},
        edges=(
            ("trim", "video", "both", "item"),
            ("whole", "video", "both", "item"),
            ("both", "collection", "join", "videos"),
        ),
    )
    assert outcome.status == "completed", outcome.error_message
    trimmed, joined = ada.films.saved
    assert (trimmed["duration"], trimmed["fps"]) == (pytest.approx(0.4), 10.0)
    assert (joined["width"], joined["height"], joined["duration"]) == (64, 48, pytest.approx(1.4))
    assert (joined["board_id"], joined["is_intermediate"], joined["video_origin"]) == (
        "b1",
        False,
        "internal",
    )
    assert joined["poster"] == (64, 48)
    assert json.loads(joined["graph"])["nodes"]
    name = joined["video_name"]
    assert name.endswith(".mp4")
    assert name != trimmed["video_name"]
    assert _result(ada, "video_concat")["video"]["video_name"] == name
    path = film.with_name("joined.mp4")
    path.write_bytes(ada.gallery.files[name])
    assert probe_video(path)[:3] == (64, 48, pytest.approx(1.4))


def test_a_frame_becomes_a_picture(engine: Engine, person: Person, film: Path) -> None:
    ada = person("ada")
    source = _keep(ada, film, "b.mp4")
    outcome = _run(
        engine,
        ada,
        {"id": "frame", "type": "video_frame_extract", "video": _field(source), "frame_index": -1},
    )
    assert outcome.status == "completed", outcome.error_message
    (picture,) = ada.pictures()
    assert ada.load_image(picture).size == (64, 48)
    assert picture.endswith(".png")


def test_names_are_the_same_at_every_attempt(engine: Engine, person: Person, film: Path) -> None:
    ada = person("ada")
    source = _keep(ada, film, "c.mp4")
    node = {"id": "trim", "type": "extract_video_range", "video": _field(source), "end_frame": 3}
    for key in (b"1" * 32, b"1" * 32, b"2" * 32):
        job = claimed(graph(node), "ada", name_key=key)
        assert engine.run(job, ada, never()).status == "completed"
    first, again, other = (saved["video_name"] for saved in ada.films.saved)
    assert first == again != other


@pytest.mark.parametrize("node_type", ["video", "video_frame_extract", "extract_video_range", "video_concat"])
def test_another_persons_video_is_as_if_there_were_none(
    engine: Engine, person: Person, film: Path, node_type: str
) -> None:
    ada, bob = person("ada"), person("bob")
    theirs = _keep(ada, film, "d.mp4")

    def asked(name: str) -> Outcome:
        given = {"videos": [_field(name)] * 2} if node_type == "video_concat" else {"video": _field(name)}
        return _run(engine, bob, {"id": "n", "type": node_type, **given})

    outcomes = [asked(name) for name in (theirs, NOWHERE, "../../etc/passwd")]
    assert {outcome.status for outcome in outcomes} == {"failed"}
    assert len({(outcome.error_type, outcome.error_message) for outcome in outcomes}) == 1
    assert bob.films.saved == []
    assert bob.pictures() == []


def test_a_video_is_no_picture(engine: Engine, person: Person, film: Path) -> None:
    ada = person("ada")
    name = _keep(ada, film, "e.mp4")
    outcome = _run(engine, ada, {"id": "blur", "type": "img_blur", "image": {"image_name": name}})
    assert outcome.status == "failed"


def test_a_file_that_is_no_video_fails_the_job_alone(engine: Engine, person: Person, film: Path) -> None:
    ada = person("ada")
    film.write_bytes(film.read_bytes()[:500])
    name = _keep(ada, film, "f.mp4")
    outcome = _run(engine, ada, {"id": "n", "type": "video_frame_extract", "video": _field(name)})
    assert outcome.status == "failed"
    assert "/" not in (outcome.error_message or "")
    assert _run(engine, ada, {"id": "add", "type": "add", "a": 1, "b": 2}).status == "completed"


def test_frames_that_are_too_large_are_refused(
    engine: Engine, person: Person, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = person("ada")
    name = _keep(ada, film, "g.mp4")
    monkeypatch.setattr(videos, "MAX_PIXELS", 64 * 48 - 1)
    outcome = _run(engine, ada, {"id": "n", "type": "extract_video_range", "video": _field(name)})
    assert (outcome.status, "too large" in (outcome.error_message or "")) == ("failed", True)


def test_too_many_videos_are_refused(engine: Engine, person: Person) -> None:
    node = {"id": "n", "type": "video_concat", "videos": [_field(NOWHERE)] * 101}
    outcome = _run(engine, person("ada"), node)
    assert (outcome.status, outcome.error_type) == ("failed", "NodeNotAllowed")


def test_what_the_service_leaves_out_says_so(engine: InvokeAIEngine) -> None:
    with pytest.raises(NotOnSharedWorker, match=r"Videos\.delete_videos_on_board"):
        engine._services.videos.delete_videos_on_board("b1")
