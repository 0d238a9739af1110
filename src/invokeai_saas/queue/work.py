"""What a graph is going to do: the models it names, and how large its pictures are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from invokeai_saas.credits.estimate import Work
from invokeai_saas.queue.graphs import CheckedGraph
from invokeai_saas.queue.jsonwalk import walk

_MODEL_KEYS = {"key", "hash", "name", "base", "type"}
# Metadata repeats the models for the record; naming one there does not load it.
_LARGEST = 100_000
_ONLY_TELLS = {"core_metadata", "metadata", "metadata_item"}


def _identifiers(value: object) -> Iterable[dict[str, Any]]:
    return (part for part, _ in walk(value) if isinstance(part, dict) and part.keys() >= _MODEL_KEYS)


def model_keys(graph: CheckedGraph) -> dict[str, tuple[str, str]]:
    """Keys of the models that a graph loads, each with the node and field that first names it."""
    found: dict[str, tuple[str, str]] = {}
    for node_id, node in graph.nodes.items():
        if node["type"] in _ONLY_TELLS:
            continue
        for field, value in node.items():
            for identifier in _identifiers(value):
                found.setdefault(str(identifier["key"]), (node_id, field))
    return found


def _figure(node: dict[str, Any], field: str) -> int:
    """A node's figure, within reason: an estimate from more would overflow, and the job is metered anyway."""
    value = node.get(field)
    return min(max(value, 0), _LARGEST) if isinstance(value, int) else 0


def describe(nodes: Iterable[dict[str, Any]]) -> Work:
    """What a job with these nodes (its batch values put in) is going to do.

    Sizes are the largest that any node names; steps are summed over the nodes that denoise. What comes along an
    edge instead of standing in the node is not seen: the estimate then falls back to the node's absence.
    """
    steps = width = height = 0
    base = name = ""
    for node in nodes:
        if node["type"] in _ONLY_TELLS:
            continue
        steps += _figure(node, "steps") or _figure(node, "num_steps")  # FLUX says num_steps
        width = max(width, _figure(node, "width"))
        height = max(height, _figure(node, "height"))
        for identifier in _identifiers(node):
            if identifier["type"] == "main" and not name:
                base, name = str(identifier["base"]), str(identifier["name"])
    return Work(base=base, model_name=name, steps=min(steps, _LARGEST), width=width, height=height)
