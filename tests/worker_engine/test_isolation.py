"""The traps of an engine that many people share, each tried from the other side."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError
from invokeai.app.services.config import InvokeAIAppConfig

from invokeai_saas.worker.contract import Engine, ModelRecord, Outcome
from invokeai_saas.worker.engine.absent import Absent, NotOnSharedWorker
from invokeai_saas.worker.engine.engine import InvokeAIEngine
from invokeai_saas.worker.engine.services import configure

from .conftest import MODELS, Person
from .recording import RecordingContext, claimed, graph, never, text_to_image

BLANK = graph({"id": "picture", "type": "blank_image", "width": 64, "height": 64, "use_cache": True})


def blurred(image_name: str) -> dict[str, Any]:
    return graph({"id": "blurred", "type": "img_blur", "image": {"image_name": image_name}})


def said(context: RecordingContext, outcome: Outcome) -> str:
    """All that leaves the engine, in one text."""
    return json.dumps(context.events) + outcome.session + json.dumps(context.saved) + repr(outcome)


def test_the_same_graph_runs_again_for_another_person(
    engine: Engine, starter: ModelRecord, person: Person
) -> None:
    """With InvokeAI's node cache the second person would be handed the first one's picture."""
    same = text_to_image(starter)
    contexts = [person("person-a"), person("person-b")]
    for context in contexts:
        assert engine.run(claimed(same, context.user_id), context, never()).status == "completed"
    a, b = contexts
    assert len(b.pictures()) == 1
    assert b.gallery.owners[b.pictures()[0]] == "person-b"
    assert a.pictures() != b.pictures()
    assert b.named("invocation_progress")


def test_no_setting_of_the_environment_turns_the_node_cache_on(
    monkeypatch: pytest.MonkeyPatch, engine: InvokeAIEngine, tmp_path: Path
) -> None:
    """The cache's size is all that stands between people there, and it is an environment variable."""
    monkeypatch.setenv("INVOKEAI_NODE_CACHE_SIZE", "512")
    monkeypatch.setattr("invokeai_saas.worker.engine.services.get_config", InvokeAIAppConfig)
    assert InvokeAIAppConfig().node_cache_size == 512
    assert configure(tmp_path).node_cache_size == 0
    assert isinstance(engine._services.invocation_cache, Absent)


def test_another_person_s_picture_looks_like_one_that_does_not_exist(engine: Engine, person: Person) -> None:
    a = person("person-a")
    engine.run(claimed(BLANK, "person-a"), a, never())
    theirs, missing = a.pictures()[0], "00000000-0000-4000-8000-000000000000.png"
    b = person("person-b")
    outcomes = [engine.run(claimed(blurred(name), "person-b"), b, never()) for name in (theirs, missing)]
    assert [outcome.status for outcome in outcomes] == ["failed", "failed"]
    assert outcomes[0].error_type == outcomes[1].error_type
    assert outcomes[0].error_message == outcomes[1].error_message
    assert not b.pictures()
    assert engine.run(claimed(blurred(theirs), "person-a"), a, never()).status == "completed"


def test_another_person_s_metadata_stays_theirs(engine: Engine, person: Person) -> None:
    a = person("person-a")
    engine.run(claimed(BLANK, "person-a"), a, never())
    reading = graph({"id": "facts", "type": "metadata_from_image", "image": {"image_name": a.pictures()[0]}})
    assert engine.run(claimed(reading, "person-b"), person("person-b"), never()).status == "failed"
    assert engine.run(claimed(reading, "person-a"), a, never()).status == "completed"


@pytest.mark.parametrize("reader", ["person-a", "person-b"])
def test_a_tensor_can_not_be_loaded_by_its_name_from_another_job(
    engine: Engine, person: Person, reader: str
) -> None:
    a = person("person-a")
    noise = graph({"id": "noise", "type": "noise", "width": 64, "height": 64})
    engine.run(claimed(noise, "person-a"), a, never())
    name = a.named("invocation_complete")[0]["result"]["noise"]["latents_name"]
    resize = {"id": "resized", "type": "lresize", "width": 64, "height": 64}
    stolen = graph({**resize, "latents": {"latents_name": name}})
    outcome = engine.run(claimed(stolen, reader), person(reader), never())
    assert (outcome.status, outcome.error_type) == ("failed", "ObjectNotFoundError")
    within = graph(
        {"id": "noise", "type": "noise"}, resize, edges=(("noise", "noise", "resized", "latents"),)
    )
    assert engine.run(claimed(within, "person-a"), a, never()).status == "completed"


def test_nothing_of_a_job_stays_in_memory(
    engine: InvokeAIEngine, starter: ModelRecord, person: Person
) -> None:
    held: list[weakref.ref[Any]] = []

    def watch(event: str, _payload: dict[str, Any]) -> None:
        if event == "invocation_complete":
            held.extend(weakref.ref(value) for value in engine._desk.run.objects.values())

    context = person()
    context.on_event = watch
    assert engine.run(claimed(text_to_image(starter)), context, never()).status == "completed"
    gc.collect()
    assert len(held) >= 4
    assert [ref() for ref in held if ref() is not None] == []
    with pytest.raises(RuntimeError, match="No job is running"):
        _ = engine._desk.run


def test_a_model_that_the_person_may_not_use_fails_the_job_even_while_it_is_loaded(
    engine: Engine, starter: ModelRecord, person: Person
) -> None:
    job_graph = text_to_image(starter)
    assert engine.run(claimed(job_graph), person(), never()).status == "completed"
    assert starter["key"] in engine.loaded_models()
    b = person("person-b", records=[])
    outcome = engine.run(claimed(job_graph, "person-b"), b, never())
    assert outcome.status == "failed"
    assert starter["key"] in (outcome.error_message or "")
    assert not b.pictures()


def test_a_path_in_the_graph_is_not_what_gets_loaded(
    engine: Engine, starter: ModelRecord, person: Person
) -> None:
    forged = starter | {"path": "/etc", "source": "/etc", "name": "forged"}
    context = person()
    outcome = engine.run(claimed(text_to_image(forged)), context, never())
    assert outcome.status == "completed"
    assert {event["config"]["path"] for event in context.named("model_load_complete")} == {starter["path"]}


def test_no_path_of_this_server_leaves_the_engine(
    engine: Engine, starter: ModelRecord, person: Person
) -> None:
    context = person()
    outcome = engine.run(claimed(text_to_image(starter)), context, never())
    gone = starter | {"key": "0" * 36, "path": "models/shared/gone"}
    broken = person(records=[gone])
    failure = engine.run(claimed(text_to_image(gone)), broken, never())
    assert (failure.status, failure.error_type) == ("failed", "FileNotFoundError")
    for text in (said(context, outcome), said(broken, failure)):
        assert str(MODELS) not in text
        assert "site-packages" not in text
        assert "scratch" not in text


@pytest.mark.parametrize("path", ["../../etc", "/etc", "models/shared/starter/weights/unet/inside"])
def test_a_record_can_not_point_out_of_the_model_view(
    engine: Engine, starter: ModelRecord, person: Person, path: str
) -> None:
    """Records come from our own table; this is the second lock."""
    assert engine.run(claimed(text_to_image(starter)), person(), never()).status == "completed"
    forged = starter | {"key": "1" * 36, "path": path}
    outcome = engine.run(claimed(text_to_image(forged)), person(records=[forged]), never())
    assert outcome.status == "failed"
    assert not (MODELS / "starter" / "weights" / "unet" / "inside").exists()


def test_a_denied_node_is_refused_before_it_is_validated(engine: Engine, person: Person) -> None:
    """Validating `prompt_from_file` tells whether a file exists."""
    outcomes = [
        engine.run(
            claimed(graph({"id": "n", "type": "prompt_from_file", "file_path": path})), person(), never()
        )
        for path in (__file__, "/does/not/exist")
    ]
    assert outcomes[0] == outcomes[1]
    assert (outcomes[0].status, outcomes[0].error_type) == ("failed", "NodeNotAllowed")


def test_nothing_is_fetched_from_a_model_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The hub's client reads its setting once, so an engine is not built where that was too early."""
    with pytest.raises(LocalEntryNotFoundError):
        hf_hub_download("openai/clip-vit-base-patch32", "config.json", cache_dir=tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(RuntimeError, match="before anything that imports huggingface_hub"):
        InvokeAIEngine(tmp_path)


def test_an_absent_service_says_so() -> None:
    with pytest.raises(NotOnSharedWorker, match=r"boards\.create is not available here"):
        Absent("boards").create("mine")
    assert not hasattr(Absent("boards"), "start")


def test_what_our_services_leave_out_says_so(engine: InvokeAIEngine) -> None:
    with pytest.raises(NotOnSharedWorker, match=r"Pictures\.delete_images_on_board"):
        engine._services.images.delete_images_on_board("b1")
    with pytest.raises(NotOnSharedWorker, match=r"model_manager\.install"):
        engine._services.model_manager.install.heuristic_import("someone/some-model")
