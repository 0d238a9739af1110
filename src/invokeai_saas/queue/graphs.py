"""The check of a graph at the border, before anything is reserved or queued.

It is structural: known and allowed nodes, right field types, edges that join existing fields of fitting types, no
cycles, nothing required left open. What only a run can show (a picture that is gone) is left to the worker.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from invokeai_saas.errors import InvalidInput, NotInPlan
from invokeai_saas.queue.batches import Batch, BatchItem, ImageRef, VideoRef
from invokeai_saas.queue.collections import CollectionCheck
from invokeai_saas.queue.fieldtypes import compatible
from invokeai_saas.queue.jsonwalk import json_problem, parts_of
from invokeai_saas.queue.nodetypes import NodeType, NodeTypes
from invokeai_saas.worker.noderules import problem as node_problem

_GRAPH = ("batch", "graph")
MAX_NODES = 1_000
MAX_PARTS = 200_000  # values of all nodes together: so long one graph may keep the event loop
_TOO_MUCH = f"The values of a graph's nodes come to more than {MAX_PARTS:,} in all. Take some of them out."


@dataclass(frozen=True)
class Edge:
    """From one node's output field to another's input field."""

    source: str
    output: str
    target: str
    input: str

    def __str__(self) -> str:
        return f"{self.source}.{self.output} -> {self.target}.{self.input}"


@dataclass(frozen=True)
class CheckedGraph:
    """A graph that passed.

    Parameters:
        json: what gets stored: known fields only, nulls left out.
        parts: how many values its nodes came with, in all.
    """

    json: dict[str, Any]
    nodes: dict[str, dict[str, Any]]
    types: dict[str, NodeType]
    edges: list[Edge]
    parts: int


class GraphCheck:
    """Checks graphs against the node types of one InvokeAI release.

    Parameters:
        types: the node types.
        max_text: longest text a field may hold, in characters.
    """

    def __init__(self, types: NodeTypes, max_text: int) -> None:
        self._types = types
        self._max_text = max_text

    def check(self, graph: dict[str, Any]) -> CheckedGraph:
        """Raises InvalidInput, naming node and field; NotInPlan for a node that shared workers do not run."""
        raw = graph.get("nodes")
        if not isinstance(raw, dict) or not raw:
            raise InvalidInput((*_GRAPH, "nodes"), "A graph needs at least one node.")
        if len(raw) > MAX_NODES:
            raise InvalidInput((*_GRAPH, "nodes"), f"A graph may have {MAX_NODES} nodes at most.")
        wrong_id = json_problem(str(graph.get("id")), 255)
        if wrong_id:
            raise InvalidInput(_GRAPH, f"The graph's id: {wrong_id}")
        parts = parts_of(raw, MAX_PARTS)
        if parts > MAX_PARTS:
            raise InvalidInput((*_GRAPH, "nodes"), _TOO_MUCH, code="graph_too_large")
        types = {node_id: self._type_of(node_id, node) for node_id, node in raw.items()}
        nodes = {node_id: self._node(node_id, node, types[node_id]) for node_id, node in raw.items()}
        edges = [self._edge(number, edge) for number, edge in enumerate(_edges(graph))]
        for edge in edges:
            _check_ends(edge, types)
        order = _order(nodes, edges)
        _check_joints(edges, types)
        for edge in edges:
            _check_types(edge, types)
        _check_required(nodes, types, edges)
        CollectionCheck(types, edges, order).check()
        stored = {
            "id": str(graph.get("id") or "graph"),
            "nodes": nodes,
            "edges": [
                {
                    "source": {"node_id": e.source, "field": e.output},
                    "destination": {"node_id": e.target, "field": e.input},
                }
                for e in edges
            ],
        }
        return CheckedGraph(stored, nodes, types, edges, parts)

    def _type_of(self, node_id: str, node: object) -> NodeType:
        place = (*_GRAPH, "nodes", node_id[:255])
        if len(node_id) > 255 or not node_id.isprintable():
            raise InvalidInput(place, "A node's id is 1 to 255 printable characters.")
        if not isinstance(node, dict) or not isinstance(node.get("type"), str):
            raise InvalidInput(place, "Every node needs a type.")
        if node.get("id") != node_id:
            raise InvalidInput(place, f"Node ids must match, got {node_id} and {str(node.get('id'))[:100]}")
        found = self._types.get(node["type"])
        if found is None:
            raise InvalidInput(place, f"There is no node type {node['type'][:100]!r}.", code="unknown_node")
        denied = self._types.denied(node["type"])
        if denied is not None:
            raise NotInPlan(node["type"], [], f"The node {node['type']!r} can't be used here. {denied}")
        return found

    def _node(self, node_id: str, node: dict[str, Any], kind: NodeType) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for field, value in node.items():
            if value is None:
                continue
            place = (*_GRAPH, "nodes", node_id, field[:255])
            wrong_text = json_problem([field, value], self._max_text)
            if wrong_text:
                raise InvalidInput(place, wrong_text)
            if field not in kind.properties:
                if kind.takes_extra_fields:
                    kept[field] = value
                continue  # InvokeAI drops what it does not know
            problem = self._types.value_error(kind, field, value)
            if problem:
                raise InvalidInput(place, problem)
            kept[field] = value
        harm = node_problem(kind.name, kept)
        if harm:
            raise InvalidInput((*_GRAPH, "nodes", node_id), harm, code="node_too_large")
        return kept

    @staticmethod
    def _edge(number: int, edge: object) -> Edge:
        try:
            assert isinstance(edge, dict)
            source, target = edge["source"], edge["destination"]
            ends = (source["node_id"], source["field"], target["node_id"], target["field"])
            assert all(isinstance(end, str) for end in ends)
        except (AssertionError, KeyError, TypeError) as error:
            raise InvalidInput(
                (*_GRAPH, "edges", number),
                "An edge needs source and destination, each with node_id and field.",
            ) from error
        return Edge(*ends)

    def check_values(self, graph: CheckedGraph, batch: Batch) -> None:
        """Checks each value of the batch against the field it goes into.

        Raises:
            InvalidInput: unknown node or field, or a value that does not fit.
        """
        for datum in (datum for group in batch.data or [] for datum in group):
            kind = graph.types.get(datum.node_path)
            if kind is None:
                raise InvalidInput(("batch", "data"), f"Node {datum.node_path[:100]} not found in graph")
            if datum.field_name not in kind.properties or datum.field_name in ("id", "type"):
                raise InvalidInput(
                    ("batch", "data"), f"Field {datum.field_name[:100]} not found in node {datum.node_path}"
                )
            for item in datum.items:
                value = plain(item)
                problem = json_problem(value, self._max_text)
                problem = problem or self._types.value_error(kind, datum.field_name, value)
                problem = problem or node_problem(
                    kind.name, {**graph.nodes[datum.node_path], datum.field_name: value}
                )
                if problem:
                    raise InvalidInput(("batch", "data", datum.node_path, datum.field_name), problem)


def plain(item: BatchItem) -> Any:
    """A batch value as JSON."""
    if isinstance(item, list):
        return [plain(part) for part in item]
    return item.model_dump() if isinstance(item, ImageRef | VideoRef) else item


def _edges(graph: dict[str, Any]) -> list[Any]:
    edges = graph.get("edges", [])
    if not isinstance(edges, list) or len(edges) > 10 * MAX_NODES:
        raise InvalidInput((*_GRAPH, "edges"), "Edges must be a list, of a sensible length.")
    return edges


def _check_ends(edge: Edge, types: dict[str, NodeType]) -> None:
    for end, node_id in (("source", edge.source), ("destination", edge.target)):
        if node_id not in types:
            raise InvalidInput(_GRAPH, f"Edge {end} node {node_id[:100]} does not exist in the graph")
    if edge.output not in types[edge.source].outputs:
        raise InvalidInput(
            _GRAPH, f"Edge source field {edge.output[:100]} does not exist in node {edge.source}"
        )
    target = types[edge.target]
    if edge.input not in target.inputs or not target.accepts_edge(edge.input):
        raise InvalidInput(
            _GRAPH, f"Edge destination field {edge.input[:100]} does not exist in node {edge.target}"
        )


def _order(nodes: dict[str, dict[str, Any]], edges: list[Edge]) -> list[str]:
    """Node ids, sources before targets. Raises InvalidInput (code `cyclic_graph`) when there is no such order."""
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(nodes, ()))
    for edge in edges:
        sorter.add(edge.target, edge.source)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise InvalidInput(_GRAPH, "Graph contains cycles", code="cyclic_graph") from error


def _check_joints(edges: list[Edge], types: dict[str, NodeType]) -> None:
    """One edge into one input, but for what collectors collect."""
    counts = Counter((edge.target, edge.input) for edge in edges)
    for (target, field), count in counts.items():
        if count > 1 and types[target].name != "collect":
            raise InvalidInput(_GRAPH, f"{count} edges go into {target}.{field}; it takes one.")
    if len(set(edges)) < len(edges):
        raise InvalidInput(_GRAPH, "The same edge is given twice.")


def _check_types(edge: Edge, types: dict[str, NodeType]) -> None:
    source, target = types[edge.source], types[edge.target]
    if source.name in ("iterate", "collect") or target.name in ("iterate", "collect"):
        return  # their types come from what they are joined to, checked below
    if not compatible(source.outputs[edge.output], target.inputs[edge.input]):
        raise InvalidInput(_GRAPH, f"Edge source and target types do not match ({edge})")


def _check_required(nodes: dict[str, dict[str, Any]], types: dict[str, NodeType], edges: list[Edge]) -> None:
    joined = {(edge.target, edge.input) for edge in edges}
    for node_id, kind in types.items():
        for field in sorted(kind.required):
            given = field in nodes[node_id] and kind.accepts_value(field)
            if not given and (node_id, field) not in joined:
                raise InvalidInput((*_GRAPH, "nodes", node_id, field), "This field is required.")
