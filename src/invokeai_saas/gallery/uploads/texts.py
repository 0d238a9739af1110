"""What InvokeAI writes into its pictures beside the pixels: metadata, workflow and graph, each a JSON text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from invokeai_saas.queue.jsonwalk import json_problem

CHUNKS = ("invokeai_metadata", "invokeai_workflow", "invokeai_graph")
_WORKFLOW_TEXTS = ("name", "author", "description", "version", "contact", "tags", "notes")
_WORKFLOW_LISTS = ("exposedFields", "nodes", "edges")


@dataclass(frozen=True)
class Described:
    """A text that held, and what it says."""

    text: str
    value: dict[str, Any]


def read_texts(info: Mapping[Any, Any], metadata: str | None, longest: int) -> dict[str, Described | None]:
    """The three by the names of their chunks. What does not hold is passed over, as InvokeAI does.

    Parameters:
        info: what the picture's file carries.
        metadata: given with the upload, in place of the file's.
        longest: bytes that one of them may have.
    """
    raw = {name: info.get(name) for name in CHUNKS}
    if metadata is not None:
        raw["invokeai_metadata"] = metadata
    return {name: _read(text, _CHECKS[name], longest) for name, text in raw.items()}


def _read(text: object, fits: Callable[[dict[str, Any]], bool], longest: int) -> Described | None:
    if not isinstance(text, str) or len(text) > longest:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict) or json_problem(value, longest) or not fits(value):
        return None
    return Described(text, value)


def _is_workflow(value: dict[str, Any]) -> bool:
    meta = value.get("meta")
    return (
        all(isinstance(value.get(name), str) for name in _WORKFLOW_TEXTS)
        and all(isinstance(value.get(name), list) for name in _WORKFLOW_LISTS)
        and isinstance(meta, dict)
        and isinstance(meta.get("version"), str)
    )


def _is_graph(value: dict[str, Any]) -> bool:
    return isinstance(value.get("nodes"), dict) and isinstance(value.get("edges"), list)


_CHECKS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "invokeai_metadata": lambda _value: True,
    "invokeai_workflow": _is_workflow,
    "invokeai_graph": _is_graph,
}
