"""The border check of graphs: iterators, collectors, and graphs that mean harm."""

from __future__ import annotations

from typing import Any

import pytest

from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.errors import InvalidInput
from invokeai_saas.queue.batches import Batch
from invokeai_saas.queue.graphs import GraphCheck, plain
from invokeai_saas.queue.nodetypes import NodeTypes
from invokeai_saas.settings import Settings


@pytest.fixture(scope="module")
def check() -> GraphCheck:
    return GraphCheck(NodeTypes(NodeCatalog(Settings().node_schemas)), 20_000)


def _graph(nodes: dict[str, str], *edges: tuple[str, str], **fields: dict[str, Any]) -> dict[str, Any]:
    """nodes: type by id; edges: ("a.output", "b.input"); fields: values by node id."""
    return {
        "id": "g",
        "nodes": {
            node_id: {"id": node_id, "type": kind, **fields.get(node_id, {})}
            for node_id, kind in nodes.items()
        },
        "edges": [
            {
                "source": dict(zip(("node_id", "field"), source.split("."), strict=True)),
                "destination": dict(zip(("node_id", "field"), target.split("."), strict=True)),
            }
            for source, target in edges
        ],
    }


def test_a_range_is_iterated_and_collected(check: GraphCheck) -> None:
    nodes = {"r": "range", "i": "iterate", "a": "add", "c": "collect", "p": "random_range", "it": "iterate"}
    graph = _graph(
        {k: v for k, v in nodes.items() if k in "riac"},
        ("r.collection", "i.collection"), ("i.item", "a.a"), ("a.value", "c.item"),
    )  # fmt: skip
    assert set(check.check(graph).nodes) == {"r", "i", "a", "c"}


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ({"i": "iterate"}, [], "exactly one collection"),
        ({"c": "collect"}, [], "collects nothing"),
        ({"a": "add", "i": "iterate"}, [("a.value", "i.collection")], "collection is needed"),
        (
            {"a": "add", "b": "blank_image", "c": "collect"},
            [("a.value", "c.item"), ("b.image", "c.item")],
            "different types",
        ),
        (
            {"r": "range", "i": "iterate", "b": "img_blur"},
            [("r.collection", "i.collection"), ("i.item", "b.image")],
            "do not fit",
        ),
        (
            {"b": "blank_image", "c": "collect", "s": "integer_collection"},
            [("b.image", "c.item"), ("c.collection", "s.collection")],
            "do not fit",
        ),
    ],
)
def test_iterators_and_collectors_that_cannot_work(
    check: GraphCheck, nodes: dict[str, str], edges: list[tuple[str, str]], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        check.check(_graph(nodes, *edges))


def test_layers_of_collectors_cost_no_more_than_their_number(check: GraphCheck) -> None:
    """Two collectors a layer, each fed by both of the layer before: a naive walk doubles with every layer."""
    nodes = {"a": "add"}
    edges = []
    before = ["a.value"]
    for layer in range(200):
        names = [f"c{layer}x", f"c{layer}y"]
        for name in names:
            nodes[name] = "collect"
            edges += [(source, f"{name}.{'collection' if layer else 'item'}") for source in before]
        before = [f"{name}.collection" for name in names]
    assert len(check.check(_graph(nodes, *edges)).edges) == len(edges)


def test_a_long_chain_of_collectors_is_no_recursion(check: GraphCheck) -> None:
    nodes = {"a": "add", **{f"c{n}": "collect" for n in range(900)}}
    chain = [(f"c{n}.collection", f"c{n + 1}.collection") for n in range(899)]
    checked = check.check(_graph(nodes, ("a.value", "c0.item"), *chain))
    assert len(checked.nodes) == 901


def test_deep_values_are_refused_without_recursion(check: GraphCheck) -> None:
    deep: Any = "x"
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(InvalidInput, match="nested"):
        check.check(_graph({"m": "core_metadata"}, m={"anything": deep}))


def test_pictures_and_videos_are_batch_values() -> None:
    """The page batches both; each keeps its own field's name."""
    files = [[{"image_name": "a.png"}], [{"video_name": "a.mp4"}]]
    data = [[{"node_path": "n", "field_name": f"f{i}", "items": items}] for i, items in enumerate(files)]
    batch = Batch.model_validate({"graph": {}, "data": data})
    assert [[plain(item) for item in group[0].items] for group in batch.data or []] == files
