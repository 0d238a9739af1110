"""The mock engine runs a graph as the real one does: in order, iterated, with results that the page understands."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.settings import Settings
from invokeai_saas.worker.contract import Outcome
from invokeai_saas.worker.mock import MockEngine
from invokeai_saas.worker.mock.answers import Answers
from tests.worker_engine.recording import Gallery, ListedModels, RecordingContext, claimed, graph, never

MODEL = {"key": "starter", "hash": "h", "name": "Starter", "base": "sd-1", "type": "main"}
SIZE = (64, 64)


@pytest.fixture
def context() -> RecordingContext:
    return RecordingContext("person-a", Gallery(), ListedModels([MODEL], Path()))


def _run(context: RecordingContext, job_graph: dict[str, Any], **job: Any) -> Outcome:
    return MockEngine(0.0).run(claimed(job_graph, **job), context, never())


def _results(outcome: Outcome, node_id: str) -> list[dict[str, Any]]:
    """What a node of the person's graph answered, run by run."""
    session = json.loads(outcome.session)
    return [session["results"][prepared] for prepared in session["source_prepared_mapping"][node_id]]


def _upload(context: RecordingContext, name: str, image: Image.Image) -> dict[str, str]:
    context.save_image(
        image, image_name=name, node_id=None, session_id=None, image_origin="external", image_category="general",
        is_intermediate=True, board_id=None, metadata=None, workflow=None, graph=None,
    )  # fmt: skip
    return {"image_name": name}


def test_nodes_take_their_time_and_a_cancelled_one_no_more_of_it(context: RecordingContext) -> None:
    nodes = [{"id": f"n{n}", "type": "integer", "value": n} for n in range(3)]
    outcome = MockEngine(0.0, node_seconds=0.05).run(claimed(graph(*nodes)), context, never())
    assert outcome.status == "completed"
    assert outcome.node_seconds["integer"] >= 3 * 0.05
    cancel = threading.Event()
    timer = threading.Timer(0.1, cancel.set)
    timer.start()
    outcome = MockEngine(0.0, node_seconds=600.0).run(claimed(graph(*nodes)), context, cancel)
    timer.join()
    assert outcome.status == "canceled"
    assert context.named("invocation_complete")[-1]["invocation_source_id"] == "n2"


def test_numbers_and_texts_are_computed(context: RecordingContext) -> None:
    outcome = _run(
        context,
        graph(
            {"id": "two", "type": "integer", "value": 2},
            {"id": "sum", "type": "add", "b": 40},
            {"id": "text", "type": "string", "value": "a red "},
            {"id": "joined", "type": "string_join", "string_right": "heart"},
            edges=(("two", "value", "sum", "a"), ("text", "value", "joined", "string_left")),
        ),
    )
    assert outcome.status == "completed"
    assert _results(outcome, "sum") == [{"type": "integer_output", "value": 42}]
    assert _results(outcome, "joined") == [{"type": "string_output", "value": "a red heart"}]
    told = context.named("invocation_complete")
    assert [event["invocation_source_id"] for event in told] == ["two", "text", "sum", "joined"]


def test_iterators_multiply_and_collectors_gather(context: RecordingContext) -> None:
    outcome = _run(
        context,
        graph(
            {"id": "widths", "type": "integer_collection", "collection": [64, 128, 192]},
            {"id": "each", "type": "iterate"},
            {"id": "twice", "type": "mul", "b": 2},
            {"id": "picture", "type": "blank_image", "height": 64},
            {"id": "all", "type": "collect"},
            edges=(
                ("widths", "collection", "each", "collection"),
                ("each", "item", "twice", "a"),
                ("each", "item", "picture", "width"),
                ("twice", "value", "all", "item"),
            ),
        ),
    )
    assert _results(outcome, "all") == [{"type": "collect_output", "collection": [128, 256, 384]}]
    assert [result["width"] for result in _results(outcome, "picture")] == [64, 128, 192]
    assert len(set(context.pictures())) == 3


def test_two_iterators_make_every_pair(context: RecordingContext) -> None:
    outcome = _run(
        context,
        graph(
            {"id": "a", "type": "integer_collection", "collection": [1, 2]},
            {"id": "b", "type": "integer_collection", "collection": [10, 20]},
            {"id": "each a", "type": "iterate"},
            {"id": "each b", "type": "iterate"},
            {"id": "sum", "type": "add"},
            edges=(
                ("a", "collection", "each a", "collection"),
                ("b", "collection", "each b", "collection"),
                ("each a", "item", "sum", "a"),
                ("each b", "item", "sum", "b"),
            ),
        ),
    )
    assert sorted(result["value"] for result in _results(outcome, "sum")) == [11, 12, 21, 22]


def _inpainting(init: dict[str, str], mask: dict[str, str]) -> dict[str, Any]:
    """What the page's canvas queues for a picture with a mask, but for what decides nothing here."""
    return graph(
        {"id": "model", "type": "main_model_loader", "model": MODEL},
        {"id": "positive", "type": "compel", "prompt": "a blue circle"},
        {"id": "positives", "type": "collect"},
        {"id": "noise", "type": "noise", "seed": 3, "width": SIZE[0], "height": SIZE[1]},
        {"id": "encoded", "type": "i2l", "image": init},
        {"id": "gradient", "type": "create_gradient_mask", "mask": mask},
        {"id": "denoise", "type": "denoise_latents", "steps": 4, "denoising_start": 0.0},
        {"id": "decoded", "type": "l2i", "is_intermediate": True},
        {"id": "faded", "type": "expand_mask_with_fade"},
        {
            "id": "facts",
            "type": "core_metadata",
            "positive_prompt": "a blue circle",
            "generation_mode": "inpaint",
        },
        {
            "id": "canvas_output:1",
            "type": "apply_mask_to_image",
            "invert_mask": True,
            "is_intermediate": True,
        },
        edges=(
            ("model", "unet", "denoise", "unet"),
            ("positive", "conditioning", "positives", "item"),
            ("positives", "collection", "denoise", "positive_conditioning"),
            ("noise", "noise", "denoise", "noise"),
            ("encoded", "latents", "denoise", "latents"),
            ("gradient", "denoise_mask", "denoise", "denoise_mask"),
            ("gradient", "expanded_mask_area", "faded", "mask"),
            ("denoise", "latents", "decoded", "latents"),
            ("decoded", "image", "canvas_output:1", "image"),
            ("faded", "image", "canvas_output:1", "mask"),
            ("facts", "metadata", "canvas_output:1", "metadata"),
        ),
    )


def test_inpainting_changes_what_is_masked_and_nothing_else(context: RecordingContext) -> None:
    mask = Image.new("L", SIZE, 255)
    ImageDraw.Draw(mask).rectangle((32, 0, 63, 63), fill=0)
    init, painted = (
        _upload(context, "init.png", Image.new("RGB", SIZE, "red")),
        _upload(context, "mask.png", mask),
    )
    outcome = _run(context, _inpainting(init, painted))
    assert outcome.status == "completed"
    decoded = context.load_image(_results(outcome, "decoded")[0]["image"]["image_name"])
    assert decoded.size == SIZE
    assert decoded.getpixel((10, 32)) == (255, 0, 0)
    assert decoded.getpixel((48, 32)) != (255, 0, 0)
    (staged,) = _results(outcome, "canvas_output:1")
    layer = context.load_image(staged["image"]["image_name"])
    assert (layer.mode, layer.size) == ("RGBA", SIZE)
    assert layer.getchannel("A").getpixel((10, 32)) == 0
    assert layer.getchannel("A").getpixel((48, 32)) == 255
    assert context.image_metadata(staged["image"]["image_name"]) == {
        "positive_prompt": "a blue circle",
        "generation_mode": "inpaint",
    }
    assert len(context.named("invocation_progress")) == 4


def test_another_person_s_picture_fails_the_job(context: RecordingContext) -> None:
    _upload(context, "hers.png", Image.new("RGB", SIZE))
    bob = RecordingContext("person-b", context.gallery, context.directory)
    outcome = _run(bob, graph({"id": "blur", "type": "img_blur", "image": {"image_name": "hers.png"}}))
    assert (outcome.status, outcome.error_type) == ("failed", "NotFound")
    (told,) = bob.named("invocation_error")
    assert told["invocation_source_id"] == "blur"
    assert bob.pictures() == []


@pytest.mark.parametrize(
    "node",
    [
        {"type": "div", "a": 1, "b": 0},
        {"type": "blank_image", "width": 10**6, "height": 10**6},
        {"type": "string_replace", "string": "a", "search_string": "(", "use_regex": True},
        {"type": "img_blur"},
        {"type": "no_such_node"},
    ],
    ids=lambda node: node["type"],
)
def test_a_node_that_cannot_do_it_fails_the_job_alone(
    context: RecordingContext, node: dict[str, Any]
) -> None:
    outcome = _run(context, graph({"id": "node", **node}))
    assert outcome.status == "failed"
    assert outcome.error_message


def test_every_node_answers_what_its_schema_asks_for(settings: Settings) -> None:
    """The page's editor shows answers by their schema; those of nodes unknown to the mock engine come from there."""
    nodes = NodeCatalog(settings.node_schemas)
    answers, schemas = Answers(nodes), nodes.document["components"]["schemas"]
    for schema in schemas.values():
        if schema.get("class") != "invocation":
            continue
        node_type = schema["properties"]["type"]["const"]
        output = schemas[schema["output"]["$ref"].rpartition("/")[2]]
        answer = answers.blank({"id": "node", "type": node_type})
        assert answer["type"] == output["properties"]["type"]["const"], node_type
        assert answer.keys() >= set(output["required"]) - {"output_meta"}, node_type
