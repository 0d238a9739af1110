"""Iterators and collectors in a graph: what goes into them and what comes out must be of one kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from invokeai_saas.errors import InvalidInput
from invokeai_saas.queue.fieldtypes import ANY, FieldType, compatible, element_type

if TYPE_CHECKING:
    from invokeai_saas.queue.graphs import Edge
    from invokeai_saas.queue.nodetypes import NodeType

_GRAPH = ("batch", "graph")
_NOTHING: frozenset[FieldType] = frozenset()


class CollectionCheck:
    """Works out, in one pass along the graph, what kinds of elements each iterator and collector holds.

    Parameters:
        types: node types by node id.
        edges: the graph's edges; their ends exist.
        order: node ids, sources before targets.
    """

    def __init__(self, types: Mapping[str, NodeType], edges: Iterable[Edge], order: Sequence[str]) -> None:
        self._types = types
        self._order = order
        self._into: dict[str, list[Edge]] = defaultdict(list)
        self._out_of: dict[str, list[Edge]] = defaultdict(list)
        for edge in edges:
            self._into[edge.target].append(edge)
            self._out_of[edge.source].append(edge)
        self._elements: dict[str, frozenset[FieldType]] = {}

    def check(self) -> None:
        """Raises InvalidInput for an iterator or collector that cannot work."""
        for node_id in self._order:
            name = self._types[node_id].name
            if name == "iterate":
                self._check_iterator(node_id)
            elif name == "collect":
                self._check_collector(node_id)

    def _check_iterator(self, node_id: str) -> None:
        into = [edge for edge in self._into[node_id] if edge.input == "collection"]
        if len(into) != 1:
            raise InvalidInput(_GRAPH, f"Invalid iterator node ({node_id}): it needs exactly one collection")
        self._elements[node_id] = elements = self._brought(into[0])
        for edge, wanted in self._consumers(node_id):
            if edge.output == "item" and not all(compatible(kind, wanted) for kind in elements):
                raise InvalidInput(_GRAPH, f"Invalid iterator node ({node_id}): its items do not fit {edge}")

    def _check_collector(self, node_id: str) -> None:
        into = [edge for edge in self._into[node_id] if edge.input in ("item", "collection")]
        if not into:
            raise InvalidInput(_GRAPH, f"Invalid collector node ({node_id}): it collects nothing")
        elements = _NOTHING.union(*(self._brought(edge) for edge in into))
        self._elements[node_id] = elements
        known = {kind for kind in elements if kind != ANY}
        if len(known) > 1 and not any(all(compatible(kind, root) for kind in known) for root in known):
            raise InvalidInput(
                _GRAPH, f"Invalid collector node ({node_id}): its items are of different types"
            )
        for edge, wanted in self._consumers(node_id):
            inner = element_type(wanted)
            if inner is None or not all(compatible(kind, inner) for kind in known):
                raise InvalidInput(_GRAPH, f"Invalid collector node ({node_id}): its items do not fit {edge}")

    def _brought(self, edge: Edge) -> frozenset[FieldType]:
        """The kinds of elements that an edge brings: of its list, or its own kind when it brings an item."""
        if edge.source in self._elements:
            return self._elements[edge.source]
        kind = self._types[edge.source].outputs[edge.output]
        if edge.input == "item":
            plain = kind - {"null"}
            return frozenset({plain}) if plain else _NOTHING
        element = element_type(kind)
        if element is None:
            raise InvalidInput(_GRAPH, f"A collection is needed here ({edge})")
        return frozenset({element})

    def _consumers(self, node_id: str) -> Iterable[tuple[Edge, FieldType]]:
        for edge in self._out_of[node_id]:
            target = self._types[edge.target]
            if target.name not in ("iterate", "collect"):
                yield edge, target.inputs[edge.input]
