"""A job that goes well: pictures, events, names, figures."""

from __future__ import annotations

import io
import json

import numpy as np
from invokeai.app.services.events.events_common import EventBase
from PIL import Image

from invokeai_saas.worker.contract import Engine, ModelRecord
from invokeai_saas.worker.engine.engine import InvokeAIEngine

from .conftest import Person
from .recording import RecordingContext, claimed, graph, never, text_to_image

QUEUE_ITEM_KEYS = {"timestamp", "queue_id", "item_id", "batch_id", "origin", "destination", "user_id"}
INVOCATION_KEYS = QUEUE_ITEM_KEYS | {"session_id", "invocation", "invocation_source_id"}
EVENT_KEYS = {
    "invocation_started": INVOCATION_KEYS,
    "invocation_progress": INVOCATION_KEYS | {"message", "percentage", "image", "device"},
    "invocation_complete": INVOCATION_KEYS | {"result"},
    "model_load_started": {"timestamp", "config", "submodel_type", "user_id"},
    "model_load_complete": {"timestamp", "config", "submodel_type", "user_id"},
}
EVENT_MODELS = {model.__event_name__: model for model in EventBase.get_events()}


def colour_of_the_object(context: RecordingContext) -> np.ndarray:
    """Mean red, green, blue of what is not white, of the context's first picture."""
    picture = Image.open(io.BytesIO(context.gallery.files[context.pictures()[0]])).convert("RGB")
    pixels = np.asarray(picture, dtype=float).reshape(-1, 3)
    return pixels[np.ptp(pixels, axis=1) > 60].mean(axis=0)


def test_a_prompt_becomes_a_picture_of_it(engine: Engine, starter: ModelRecord, person: Person) -> None:
    red, blue = person(), person()
    outcome = engine.run(claimed(text_to_image(starter, "a red heart", steps=20, size=256)), red, never())
    engine.run(claimed(text_to_image(starter, "a blue heart", steps=20, size=256)), blue, never())
    assert outcome.status == "completed"
    (saved,) = red.saved
    assert (red.gallery.records[saved["image_name"]].width, saved["is_intermediate"]) == (256, False)
    assert colour_of_the_object(red).argmax() == 0
    assert colour_of_the_object(blue).argmax() == 2


def test_the_outcome_tells_what_ran_and_what_stays_loaded(
    engine: Engine, starter: ModelRecord, person: Person
) -> None:
    outcome = engine.run(claimed(text_to_image(starter)), person(), never())
    assert outcome.node_seconds.keys() == {"main_model_loader", "compel", "noise", "denoise_latents", "l2i"}
    assert outcome.node_seconds["denoise_latents"] > 0
    assert outcome.models_loaded == engine.loaded_models()  # with those of tests before this one
    assert starter["key"] in engine.loaded_models()
    session = json.loads(outcome.session)
    assert len(session["results"]) == 6
    assert not session["errors"]
    assert (outcome.error_type, outcome.error_message, outcome.error_traceback) == (None, None, None)


def test_events_have_the_form_that_the_page_knows(
    engine: Engine, starter: ModelRecord, person: Person
) -> None:
    context = person()
    job = claimed(text_to_image(starter, steps=4))
    engine.run(job, context, never())
    for name, payload in context.events:
        assert payload.keys() == EVENT_KEYS[name], name
        EVENT_MODELS[name].model_validate(payload)
    complete = context.named("invocation_complete")
    assert [event["invocation_source_id"] for event in context.named("invocation_started")] == [
        event["invocation_source_id"] for event in complete
    ]
    assert {event["item_id"] for event in complete} == {job.item_id}
    assert {event["user_id"] for event in complete} == {job.user_id}
    assert complete[-1]["result"]["image"]["image_name"] == context.pictures()[0]


def test_every_step_shows_a_preview(engine: Engine, starter: ModelRecord, person: Person) -> None:
    context = person()
    engine.run(claimed(text_to_image(starter, steps=4)), context, never())
    previews = [event for event in context.named("invocation_progress") if event["image"]]
    assert len(previews) >= 4
    assert previews[-1]["percentage"] == 1
    assert previews[-1]["image"]["dataURL"].startswith("data:image/jpeg;base64,")
    assert previews[-1]["image"]["width"] == 64


def test_a_retry_saves_under_the_same_name_and_another_job_does_not(engine: Engine, person: Person) -> None:
    first, second, other = person(), person(), person()
    blank = graph({"id": "picture", "type": "blank_image", "width": 64, "height": 64})
    engine.run(claimed(blank, name_key=b"one"), first, never())
    engine.run(claimed(blank, name_key=b"one", attempt_number=2), second, never())
    engine.run(claimed(blank, name_key=b"two"), other, never())
    assert first.pictures() == second.pictures()
    assert first.pictures() != other.pictures()


def test_each_iteration_has_a_name_of_its_own_at_every_attempt(engine: Engine, person: Person) -> None:
    iterated = graph(
        {"id": "widths", "type": "integer_collection", "collection": [64, 128, 192]},
        {"id": "each", "type": "iterate"},
        {"id": "picture", "type": "blank_image", "height": 64},
        edges=(("widths", "collection", "each", "collection"), ("each", "item", "picture", "width")),
    )
    attempts = []
    for _ in range(2):
        context = person()
        assert engine.run(claimed(iterated, name_key=b"one"), context, never()).status == "completed"
        attempts.append({context.gallery.records[name].width: name for name in context.pictures()})
    assert attempts[0] == attempts[1]
    assert len(set(attempts[0].values())) == 3


def test_a_picture_carries_its_metadata_graph_and_workflow(engine: Engine, person: Person) -> None:
    context = person()
    workflow = {"name": "mine", "nodes": [], "a field that InvokeAI does not know": 1}
    described = graph(
        {"id": "facts", "type": "core_metadata", "positive_prompt": "a cat"},
        {"id": "picture", "type": "blank_image", "width": 64, "height": 64},
        {"id": "kept", "type": "save_image", "is_intermediate": False, "board": {"board_id": "b1"}},
        edges=(("picture", "image", "kept", "image"), ("facts", "metadata", "kept", "metadata")),
    )
    assert engine.run(claimed(described, workflow=workflow), context, never()).status == "completed"
    kept = context.saved[-1]
    assert json.loads(kept["metadata"])["positive_prompt"] == "a cat"
    assert json.loads(kept["workflow"]) == workflow
    assert json.loads(kept["graph"])["nodes"].keys() == {"facts", "picture", "kept"}
    assert (kept["board_id"], kept["is_intermediate"], kept["image_origin"]) == ("b1", False, "internal")


def test_a_job_reads_what_it_saved_itself(engine: Engine, person: Person) -> None:
    context = person()
    blurred = graph(
        {"id": "picture", "type": "blank_image", "width": 64, "height": 64},
        {"id": "blurred", "type": "img_blur"},
        edges=(("picture", "image", "blurred", "image"),),
    )
    assert engine.run(claimed(blurred), context, never()).status == "completed"
    assert len(context.pictures()) == 2


def test_replaced_files_are_loaded_again_and_others_are_not(
    engine: InvokeAIEngine, starter: ModelRecord, person: Person
) -> None:
    """Weights are cached by the record's key, which says nothing of their content."""
    missed: list[str] = []
    forget = engine._services.model_manager.load.ram_cache.on_cache_miss(
        lambda model_key, **_: missed.append(model_key)
    )

    def loads(record: ModelRecord) -> int:
        missed.clear()
        context = person(records=[record])
        assert engine.run(claimed(text_to_image(record)), context, never()).status == "completed"
        return len(missed)

    try:
        loads(starter)
        assert loads(starter) == 0
        assert loads(starter | {"hash": "blake3:another"}) > 0
        assert loads(starter) > 0
    finally:
        forget()
