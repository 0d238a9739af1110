"""The node part of InvokeAI's OpenAPI document, exported for the API, which has no InvokeAI.

The page reads `components.schemas`: it takes every schema whose `class` is "invocation" for a node, and
follows its `output` to the schema of what the node gives. Paths are left out: the API's own take their
place.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from invokeai.app.api_app import app

from invokeai_saas.worker.engine.policy import DENIED_NODES

EXTENSION = "x-invokeai-saas"
_REFERENCE = "#/components/schemas/"
# Not reachable from a node, but read by clients that generate types from the document.
_ROOTS = ("AnyModelConfig", "Graph", "InvocationOutputMap", "ModelIdentifierField", "ProgressImage")


def node_schemas() -> dict[str, Any]:
    """The document: `components.schemas` of all nodes, their outputs and fields, and our extension.

    `x-invokeai-saas` holds `invokeai_version`, `allowed_nodes` (sorted) and `denied_nodes` (reason by node
    type).
    """
    schemas: dict[str, Any] = app.openapi()["components"]["schemas"]
    classes = {
        name: schema for name, schema in schemas.items() if schema.get("class") in ("invocation", "output")
    }
    node_types = {
        schema["properties"]["type"]["const"]
        for schema in classes.values()
        if schema["class"] == "invocation"
    }
    wanted = _closure(schemas, [*classes, *(root for root in _ROOTS if root in schemas)])
    return {
        "components": {"schemas": {name: schemas[name] for name in sorted(wanted)}},
        EXTENSION: {
            "invokeai_version": version("invokeai"),
            "allowed_nodes": sorted(node_types - DENIED_NODES.keys()),
            "denied_nodes": {name: DENIED_NODES[name] for name in sorted(node_types & DENIED_NODES.keys())},
        },
    }


def export_node_schemas(path: Path) -> None:
    """Write the document to a file, whole or not at all. Exports of one version are equal byte by byte."""
    text = json.dumps(node_schemas(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        unfinished.chmod(0o644)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _closure(schemas: dict[str, Any], roots: list[str]) -> set[str]:
    """The named schemas and all that they refer to."""
    wanted: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting.extend(_references(schemas[name]))
    return wanted


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith(_REFERENCE):
            yield reference.removeprefix(_REFERENCE)
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
