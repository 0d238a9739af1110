"""What a graph is going to do: the models it names, and how large its pictures are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from invokeai_saas.credits.estimate import Work
from invokeai_saas.queue.graphs import CheckedGraph
from invokeai_saas.queue.jsonwalk import walk

_MODEL_KEYS = {"key", "hash", "name", "base", "type"}
# Metadata repeats the models for the record; naming one there does not load it.
_ONLY_TELLS = {"core_metadata", "metadata", "metadata_item"}


def _identifiers(value: object) -> Iterable[dict[str, Any]]:
    return (part for part in walk(value) if isinstance(part, dict) and part.keys() >= _MODEL_KEYS)


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
        if isinstance(node.get("steps"), int):
            steps += node["steps"]
        elif isinstance(node.get("num_steps"), int):  # FLUX
            steps += node["num_steps"]
        if isinstance(node.get("width"), int):
            width = max(width, node["width"])
        if isinstance(node.get("height"), int):
            height = max(height, node["height"])
        for identifier in _identifiers(node):
            if identifier["type"] == "main" and not name:
                base, name = str(identifier["base"]), str(identifier["name"])
    return Work(base=base, model_name=name, steps=steps, width=width, height=height)
