"""Jobs that end badly, and a worker that goes on."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from invokeai.app.services.events.events_common import InvocationErrorEvent

from invokeai_saas.errors import Unavailable
from invokeai_saas.worker.contract import Engine, ModelRecord, StoredImage

from .conftest import Person
from .recording import RecordingContext, claimed, graph, never, text_to_image

ADDITION = graph({"id": "sum", "type": "add", "a": 2, "b": 3})


def division_by_zero() -> dict[str, Any]:
    return graph({"id": "quotient", "type": "div", "a": 1, "b": 0})


def test_a_node_that_fails_fails_the_job_and_not_the_worker(engine: Engine, person: Person) -> None:
    context = person()
    outcome = engine.run(claimed(division_by_zero()), context, never())
    assert (outcome.status, outcome.error_type) == ("failed", "ZeroDivisionError")
    assert outcome.error_message
    assert "ZeroDivisionError" in (outcome.error_traceback or "")
    assert next(iter(json.loads(outcome.session)["errors"].values())).startswith("ZeroDivisionError")
    (event,) = context.named("invocation_error")
    assert (event["error_type"], event["invocation_source_id"]) == ("ZeroDivisionError", "quotient")
    InvocationErrorEvent.model_validate(event)
    assert event.keys() == set(InvocationErrorEvent.model_fields)
    assert engine.run(claimed(ADDITION), person(), never()).status == "completed"


@pytest.mark.parametrize(
    "broken",
    [
        graph({"id": "n", "type": "no_such_node"}),
        graph({"id": "n", "type": "add", "a": "many"}),
        graph(
            {"id": "a", "type": "add"},
            {"id": "b", "type": "add"},
            edges=(("a", "value", "b", "a"), ("b", "value", "a", "a")),
        ),
        graph({"id": "a", "type": "add"}, edges=(("a", "value", "gone", "a"),)),
        {"id": "g", "nodes": "none"},
        {"nodes": {"a": {"id": "b", "type": "add"}}},
    ],
    ids=["unknown node", "wrong type", "cycle", "edge to nowhere", "no nodes", "two ids"],
)
def test_a_graph_that_is_none_fails_with_a_readable_message(
    engine: Engine, person: Person, broken: dict[str, Any]
) -> None:
    outcome = engine.run(claimed(broken), person(), never())
    assert (outcome.status, outcome.session) == ("failed", "{}")
    assert outcome.error_type
    assert 0 < len(outcome.error_message or "") <= 2_001


def test_a_missing_input_is_the_job_s_own_failure(engine: Engine, person: Person) -> None:
    outcome = engine.run(claimed(graph({"id": "n", "type": "l2i"})), person(), never())
    assert (outcome.status, outcome.error_type) == ("failed", "RequiredConnectionException")


def test_cancel_is_honoured_at_the_next_step(engine: Engine, starter: ModelRecord, person: Person) -> None:
    context, cancel, steps = person(), threading.Event(), []

    def cancel_at_the_third_step(event: str, payload: dict[str, Any]) -> None:
        if event == "invocation_progress" and payload["image"]:
            steps.append(payload["percentage"])
            if len(steps) == 3:
                cancel.set()

    context.on_event = cancel_at_the_third_step
    outcome = engine.run(claimed(text_to_image(starter, steps=30)), context, cancel)
    assert outcome.status == "canceled"
    assert len(steps) == 3
    assert not context.pictures()
    assert not context.named("invocation_error")
    assert outcome.node_seconds["denoise_latents"] > 0
    assert outcome.error_type is None
    assert engine.run(claimed(ADDITION), person(), never()).status == "completed"


def test_a_job_canceled_before_it_began_does_nothing(engine: Engine, person: Person) -> None:
    context, cancel = person(), threading.Event()
    cancel.set()
    assert engine.run(claimed(ADDITION), context, cancel).status == "canceled"
    assert not context.events


def test_a_cancel_after_the_last_node_comes_too_late(engine: Engine, person: Person) -> None:
    context, cancel = person(), threading.Event()
    context.on_event = lambda event, _: cancel.set() if event == "invocation_complete" else None
    assert engine.run(claimed(ADDITION), context, cancel).status == "completed"


@pytest.mark.parametrize("job_graph", [ADDITION, division_by_zero()], ids=["success", "failure"])
def test_events_that_can_not_be_sent_change_nothing(
    engine: Engine, person: Person, job_graph: dict[str, Any]
) -> None:
    def refuse(_event: str, _payload: dict[str, Any]) -> None:
        raise ConnectionError("the connection is gone")

    context = person()
    context.on_event = refuse
    expected = engine.run(claimed(job_graph), person(), never())
    outcome = engine.run(claimed(job_graph), context, never())
    assert (outcome.status, outcome.error_type) == (expected.status, expected.error_type)


class AwayContext(RecordingContext):
    """A context whose store of pictures is away."""

    def save_image(self, *_: Any, **__: Any) -> StoredImage:
        raise Unavailable("The object store is away.")


def test_a_service_that_is_away_is_not_the_job_s_failure(engine: Engine, person: Person) -> None:
    """The run is given up, so that the job can be tried again; the person is not told of an error."""
    ready = person()
    context = AwayContext("person-a", ready.gallery, ready.directory)
    picture = graph({"id": "picture", "type": "blank_image", "width": 64, "height": 64})
    with pytest.raises(Unavailable):
        engine.run(claimed(picture), context, never())
    assert not context.named("invocation_error")
    assert engine.run(claimed(picture), ready, never()).status == "completed"


class FullContext(RecordingContext):
    """A context whose person has no storage left."""

    def save_image(self, *_: Any, **__: Any) -> StoredImage:
        raise OSError("Your storage is full.")


def test_a_picture_that_can_not_be_kept_fails_the_job(engine: Engine, person: Person) -> None:
    ready = person()
    context = FullContext("person-a", ready.gallery, ready.directory)
    outcome = engine.run(claimed(graph({"id": "picture", "type": "blank_image"})), context, never())
    assert (outcome.status, outcome.error_message) == ("failed", "Your storage is full.")
