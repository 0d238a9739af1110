"""Values that arrive along edges: the border can't see them, the engine refuses them when their node's turn comes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from invokeai_saas.worker.contract import Engine, Outcome

from .conftest import Person
from .recording import RecordingContext, claimed, graph, never

BLANK = {"id": "blank", "type": "blank_image", "width": 64, "height": 64}


def runs(engine: Engine, context: RecordingContext, job: dict[str, Any]) -> Outcome:
    """The outcome of a job. The harmful ones have no end, or take all memory, without what is tested here."""
    return engine.run(claimed(job), context, never())


def squares(count: int) -> dict[str, Any]:
    """Each node squares what the one before gave."""
    nodes = [{"id": f"n{i}", "type": "mul", "a": 3, "b": 3} for i in range(count)]
    edges = [(f"n{i}", "value", f"n{i + 1}", side) for i in range(count - 1) for side in "ab"]
    return graph(*nodes, edges=tuple(edges))


def doublings(count: int) -> dict[str, Any]:
    """Each node joins what the one before gave to itself."""
    nodes = [
        {"id": f"n{i}", "type": "string_join", "string_left": "ab", "string_right": "cd"}
        for i in range(count)
    ]
    edges = [
        (f"n{i}", "value", f"n{i + 1}", f"string_{side}")
        for i in range(count - 1)
        for side in ("left", "right")
    ]
    return graph(*nodes, edges=tuple(edges))


def collections(count: int) -> dict[str, Any]:
    """Lists of two lists of two lists: little in memory, without end as JSON."""
    nodes: list[dict[str, Any]] = [{"id": "s", "type": "string", "value": "prompt"}]
    edges = []
    before = [("s", "value")]
    for i in range(count):
        pair = [f"c{i}a", f"c{i}b"]
        nodes += [{"id": name, "type": "collect"} for name in pair]
        edges += [(source, field, name, "item") for name in pair for source, field in before]
        before = [(name, "collection") for name in pair]
    return graph(*nodes, edges=tuple(edges))


def crossed(size: int) -> dict[str, Any]:
    """A node behind two iterators runs for every pair of their elements."""
    nodes: list[dict[str, Any]] = [{"id": "sum", "type": "add"}]
    edges = []
    for side in "ab":
        nodes += [
            {"id": f"range_{side}", "type": "range_of_size", "size": size},
            {"id": f"each_{side}", "type": "iterate"},
        ]
        edges += [
            (f"range_{side}", "collection", f"each_{side}", "collection"),
            (f"each_{side}", "item", "sum", side),
        ]
    return graph(*nodes, edges=tuple(edges))


def fed(
    node: dict[str, Any], field: str, source: dict[str, Any], *others: tuple[dict[str, Any], str, str]
) -> dict[str, Any]:
    """A node one of whose fields gets its value from another node."""
    edges = [(source["id"], "value", node["id"], field)]
    edges += [(other["id"], output, node["id"], into) for other, output, into in others]
    return graph(node, source, *(other for other, _, _ in others), edges=tuple(edges))


TEN_TO_THE_TEN = {"id": "many", "type": "integer", "value": 10**10}
REGEX = {"id": "n", "type": "string_replace", "string": "a" * 40 + "b", "search_string": "(a+)+$"}
REFUSED = {
    "regular expression": fed(REGEX, "use_regex", {"id": "yes", "type": "boolean", "value": True}),
    "power": fed({"id": "n", "type": "integer_math", "operation": "EXP", "a": 7}, "b", TEN_TO_THE_TEN),
    "range": fed({"id": "n", "type": "range_of_size"}, "size", TEN_TO_THE_TEN),
    "random range": fed({"id": "n", "type": "random_range"}, "size", TEN_TO_THE_TEN),
    "float range": fed({"id": "n", "type": "float_range"}, "steps", TEN_TO_THE_TEN),
    "width": fed({"id": "n", "type": "blank_image"}, "width", TEN_TO_THE_TEN),
    "scale": fed(
        {"id": "n", "type": "img_scale"},
        "scale_factor",
        {"id": "f", "type": "float", "value": 1_000.0},
        (BLANK, "image", "image"),
    ),
    "padding": fed({"id": "n", "type": "img_pad_crop"}, "left", TEN_TO_THE_TEN, (BLANK, "image", "image")),
    "paste": fed(
        {"id": "n", "type": "img_paste"},
        "x",
        TEN_TO_THE_TEN,
        (BLANK, "image", "image"),
        (BLANK, "image", "base_image"),
    ),
    "squares": squares(60),
    "doublings": doublings(60),
    "collections": collections(40),
    "crossed iterators": crossed(5_000),
}


@pytest.mark.parametrize("job", REFUSED.values(), ids=REFUSED.keys())
def test_a_harmful_value_that_an_edge_brings_fails_the_job(
    engine: Engine, person: Person, job: dict[str, Any]
) -> None:
    outcome = runs(engine, person(), job)
    assert outcome.status == "failed"
    assert outcome.error_type in ("NodeNotAllowed", "TooMuch"), outcome.error_message
    assert len(outcome.session) < 30_000_000


def test_a_harmful_value_that_the_graph_states_fails_it_before_anything_runs(
    engine: Engine, person: Person
) -> None:
    context = person()
    outcome = runs(engine, context, graph(BLANK, {**REGEX, "use_regex": True}))
    assert (outcome.status, outcome.error_type, outcome.session) == ("failed", "NodeNotAllowed", "{}")
    assert not context.events


def test_scaled_latents_are_bounded_by_their_size(engine: Engine, person: Person) -> None:
    noise = {"id": "noise", "type": "noise", "width": 64, "height": 64}
    scale = {"id": "n", "type": "lscale", "scale_factor": 500.0}
    outcome = runs(engine, person(), graph(noise, scale, edges=(("noise", "noise", "n", "latents"),)))
    assert (outcome.status, outcome.error_type) == ("failed", "NodeNotAllowed")
    smaller = graph(noise, {**scale, "scale_factor": 2.0}, edges=(("noise", "noise", "n", "latents"),))
    assert runs(engine, person(), smaller).status == "completed"


def test_a_picture_that_is_too_narrow_is_not_worked_on(engine: Engine, person: Person) -> None:
    context = person()
    strip = graph(
        BLANK,
        {"id": "n", "type": "img_resize", "width": 2_000, "height": 1},
        edges=(("blank", "image", "n", "image"),),
    )
    outcome = runs(engine, context, strip)
    assert (outcome.status, outcome.error_type) == ("failed", "ValueError")
    assert "narrow" in (outcome.error_message or "")


def test_ordinary_iterations_and_replacements_run(engine: Engine, person: Person) -> None:
    assert runs(engine, person(), crossed(5)).status == "completed"
    words = {
        "id": "n",
        "type": "string_replace",
        "string": "a cat",
        "search_string": "CAT",
        "replace_string": "dog",
    }
    outcome = runs(engine, person(), graph(words))
    assert next(iter(json.loads(outcome.session)["results"].values()))["value"] == "a dog"


@pytest.mark.parametrize("combinatorial", [True, False])
def test_dynamic_prompts_are_expanded_as_the_page_previews_them(
    engine: Engine, person: Person, combinatorial: bool
) -> None:
    node = {
        "id": "n",
        "type": "dynamic_prompt",
        "prompt": "a {red|blue} heart",
        "max_prompts": 2,
        "combinatorial": combinatorial,
    }
    outcome = runs(engine, person(), graph(node))
    prompts = next(iter(json.loads(outcome.session)["results"].values()))["collection"]
    assert len(prompts) == 2
    assert set(prompts) <= {"a red heart", "a blue heart"}


def test_a_dynamic_prompt_with_endless_combinations_ends(engine: Engine, person: Person) -> None:
    endless = "{" + "|".join(f"{{{i}|{i}}}" for i in range(20)) + "}"
    node = {
        "id": "n",
        "type": "dynamic_prompt",
        "prompt": "{20$$" + endless[1:],
        "max_prompts": 10_000,
        "combinatorial": True,
    }
    assert runs(engine, person(), graph(node)).status in ("completed", "failed")
