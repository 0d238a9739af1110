"""Which of InvokeAI's nodes may run on a worker that many people share. With which values: `worker.noderules`.

The API refuses the others at the border (it reads this from the exported node schemas), and the engine
refuses them once more before it builds a graph: some do harm while they are merely validated
(`prompt_from_file` tells whether a file exists). `tests/worker_engine/test_policy.py` reads InvokeAI's
sources and fails when a node that downloads, opens files or calls out is missing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from invokeai_saas.worker.noderules import problem

DOWNLOADS = "It downloads its model when it runs, which a shared worker does not do."
LAMA = f"{DOWNLOADS} Choose another infill method, under Compositing."
LOCAL_FILES = "It reads or writes files of the machine it runs on."
LOCAL_SCREEN = "It opens a window on the machine it runs on."
LANGUAGE_MODEL = "Text generation is not offered: it would take a GPU for an unbounded time."
THIRD_PARTY = "It calls a third party's service, which is not offered yet."
WORKFLOW_LIBRARY = "Saved workflows and prompt templates can't be read by a running job yet."
BATCH_ONLY = "It is expanded into single jobs before they are queued and can't run by itself."

_DENIED_BY_REASON = {
    DOWNLOADS: (
        "depth_anything_depth_estimation",
        "dw_openpose_detection",
        "esrgan",
        "grounding_dino",
        "hed_edge_detection",
        "img_nsfw",
        "lineart_anime_edge_detection",
        "lineart_edge_detection",
        "mlsd_detection",
        "normal_map",
        "pbr_maps",
        "pidi_edge_detection",
        "segment_anything",
    ),
    LAMA: ("infill_lama",),
    LOCAL_FILES: ("prompt_from_file", "save_image_to_file"),
    LOCAL_SCREEN: ("show_image",),
    LANGUAGE_MODEL: (
        "ernie_image_prompt_enhancer",
        "llava_onevision_vllm",
        "text_llm",
        "text_llm_with_preset",
    ),
    THIRD_PARTY: (
        "alibabacloud_image_generation",
        "gemini_image_generation",
        "openai_image_generation",
        "seedream_image_generation",
    ),
    WORKFLOW_LIBRARY: ("call_saved_workflow", "prompt_template"),
    BATCH_ONLY: (
        "float_batch",
        "float_generator",
        "image_batch",
        "image_generator",
        "integer_batch",
        "integer_generator",
        "string_batch",
        "string_generator",
    ),
}

DENIED_NODES: Mapping[str, str] = {
    node_type: reason for reason, node_types in _DENIED_BY_REASON.items() for node_type in node_types
}
"""Reason by node type. What is not here may run.

`ip_adapter`, `flux_ip_adapter` and `flux_redux` may: they look for their encoder among the person's models
first, and the installer they would fall back to is absent from our engine.
"""


@dataclass(frozen=True)
class Refusal:
    """A node of a graph that may not run, and why."""

    node_id: str
    node_type: str
    reason: str


def refusals(graph: Mapping[str, Any]) -> Iterator[Refusal]:
    """The nodes of a graph that may not run, by their type or by the values they state.

    The graph is raw JSON: nothing is validated before this has passed.
    """
    nodes = graph.get("nodes")
    for node_id, node in nodes.items() if isinstance(nodes, Mapping) else ():
        node_type = node.get("type") if isinstance(node, Mapping) else None
        if not isinstance(node_type, str):
            continue
        reason = DENIED_NODES.get(node_type) or problem(node_type, node)
        if reason:
            yield Refusal(str(node_id), node_type, reason)
