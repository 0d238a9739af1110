"""What is enqueued: a graph as large as the one of InvokeAI's page for a picture (13 nodes), which needs no model.

It ends in an intermediate picture of 64 x 64 pixels, so that both processors have a file to write and no
gallery changes.
"""

from __future__ import annotations

from typing import Any

_PROMPTS = 5


def _node(node_id: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": node_id, "type": kind, "is_intermediate": True, "use_cache": False, **fields}


def _edge(source: str, field: str, destination: str, into: str) -> dict[str, Any]:
    return {
        "source": {"node_id": source, "field": field},
        "destination": {"node_id": destination, "field": into},
    }


def _nodes() -> list[dict[str, Any]]:
    numbers = [_node(f"number_{n}", "integer", value=n) for n in range(_PROMPTS)]
    texts = [_node(f"text_{n}", "string", value="a lighthouse at dusk") for n in range(_PROMPTS)]
    metadata = _node(
        "metadata", "core_metadata", generation_mode="txt2img", width=64, height=64, cfg_scale=7.5,
        scheduler="dpmpp_3m_k",
    )  # fmt: skip
    return [
        *numbers,
        *texts,
        _node("width", "add", a=32, b=32),
        metadata,
        _node("picture", "blank_image", width=64, height=64),
    ]


_EDGES = [
    _edge("number_0", "value", "metadata", "seed"),
    _edge("text_0", "value", "metadata", "positive_prompt"),
    _edge("text_1", "value", "metadata", "negative_prompt"),
    _edge("width", "value", "picture", "width"),
    _edge("metadata", "metadata", "picture", "metadata"),
]


def _value(node: str, value: object) -> dict[str, Any]:
    return {"node_path": node, "field_name": "value", "items": [value]}


# The body of enqueue_batch, as the page posts it: no batch_id, one run, seed and prompts as batch data.
BATCH: dict[str, Any] = {
    "prepend": False,
    "batch": {
        "graph": {"id": "bench", "nodes": {node["id"]: node for node in _nodes()}, "edges": _EDGES},
        "runs": 1,
        "data": [
            [_value("number_0", 2101311361)],
            [_value("text_0", "a lighthouse at dusk"), _value("text_1", "")],
        ],
        "origin": "generate",
        "destination": "generate",
    },
}
