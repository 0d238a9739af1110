"""What InvokeAI's page really sends when somebody presses Invoke, recorded from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from invokeai_saas.worker.contract import Engine, ModelRecord

from .conftest import Person
from .recording import claimed, never

REQUEST = Path(__file__).with_name("page_request.json")


def first_job_of_the_request(model: ModelRecord) -> dict[str, Any]:
    """The graph with the batch's first values, the starter model, and less to do."""
    batch = json.loads(REQUEST.read_text(encoding="utf-8"))["batch"]
    nodes = batch["graph"]["nodes"]
    for group in batch["data"]:
        for datum in group:
            nodes[datum["node_path"]][datum["field_name"]] = datum["items"][0]
    for node in nodes.values():
        if "model" in node:  # the loader's whole record, and the identifier in the metadata
            node["model"] = model
        if "width" in node:
            node |= {"width": 128, "height": 128}
        if "steps" in node:
            node["steps"] = 4
    return dict(batch["graph"])


def test_the_page_s_own_graph_runs(engine: Engine, starter: ModelRecord, person: Person) -> None:
    context = person()
    outcome = engine.run(claimed(first_job_of_the_request(starter)), context, never())
    assert outcome.status == "completed", outcome.error_traceback
    (saved,) = context.saved
    assert saved["is_intermediate"] is False
    metadata = json.loads(saved["metadata"])
    assert metadata["positive_prompt"] == "a lighthouse at dusk"
    assert (metadata["seed"], metadata["model"]["key"]) == (2101311361, starter["key"])
    assert "path" not in metadata["model"]
