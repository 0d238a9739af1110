"""The order in which a graph's nodes run, and how often: iterators multiply what follows them, collectors gather it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

Path = tuple[int, ...]
"""The position in each iterator around a node, outermost first."""


@dataclass(frozen=True)
class Edge:
    """From a field of one node's answer to a field of another node."""

    source: str
    source_field: str
    target_field: str


@dataclass
class Plan:
    """A graph as it unfolds while it runs.

    Parameters:
        nodes: the graph's nodes by id.
        edges: by the node that they lead to.
        around: the iterators around each node that has run.
        answers: of each node that has run, by path.
    """

    nodes: dict[str, dict[str, Any]]
    edges: dict[str, list[Edge]]
    around: dict[str, tuple[str, ...]] = field(default_factory=dict)
    answers: dict[str, dict[Path, dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: dict[str, Any]) -> Plan:
        """Of InvokeAI's graph JSON, which the API has checked."""
        edges: defaultdict[str, list[Edge]] = defaultdict(list)
        for edge in graph.get("edges", []):
            source, target = edge["source"], edge["destination"]
            edges[target["node_id"]].append(Edge(source["node_id"], source["field"], target["field"]))
        return cls(graph["nodes"], edges)

    def order(self) -> list[str]:
        """The ids of the nodes, each after those that it needs. Raises ValueError for a cycle."""
        before = {node: [edge.source for edge in self.edges.get(node, [])] for node in self.nodes}
        try:
            return list(TopologicalSorter(before).static_order())
        except CycleError as error:
            raise ValueError("The graph goes round in a circle.") from error

    def runs(self, node_id: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Each run of a node: its path, and its fields with what came along its edges."""
        if self.nodes[node_id]["type"] == "collect":
            yield from self._gather(node_id)
            return
        edges = self.edges.get(node_id, [])
        around = tuple(dict.fromkeys(name for edge in edges for name in self.around[edge.source]))
        iterates = self.nodes[node_id]["type"] == "iterate"
        self.around[node_id] = (*around, node_id) if iterates else around
        for place in self._places([edge.source for edge in edges]):
            fields = dict(self.nodes[node_id])
            for edge in edges:
                path = tuple(place[name] for name in self.around[edge.source])
                fields[edge.target_field] = self.answers[edge.source][path].get(edge.source_field)
            path = tuple(place[name] for name in around)
            if not iterates:
                yield path, fields
                continue
            for index in range(len(fields.get("collection") or [])):
                yield (*path, index), {**fields, "index": index}

    def _places(self, sources: list[str]) -> list[dict[str, int]]:
        """Every position, by iterator, at which all of these have an answer."""
        places: list[dict[str, int]] = [{}]
        for source in dict.fromkeys(sources):
            found = [dict(zip(self.around[source], path, strict=True)) for path in self.answers[source]]
            places = [
                place | other
                for place in places
                for other in found
                if all(place.get(name, index) == index for name, index in other.items())
            ]
        return places

    def _gather(self, node_id: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """A collector ends the innermost iterator around its items, and runs once for each place of the others."""
        edges = self.edges.get(node_id, [])
        outer: tuple[str, ...] = ()
        for edge in edges:
            around = self.around[edge.source]
            outer = max(outer, around[:-1] if edge.target_field == "item" else around, key=len)
        self.around[node_id] = outer
        groups: dict[Path, list[Any]] = {} if outer else {(): []}
        for edge in edges:
            for path, answer in self.answers[edge.source].items():
                value = answer.get(edge.source_field)
                group = groups.setdefault(path[: len(outer)], [])
                group.extend([value] if edge.target_field == "item" else value or [])
        for path, collection in groups.items():
            yield path, {**self.nodes[node_id], "collection": collection}
