"""The node policy, held against InvokeAI's own sources."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from functools import cache
from types import ModuleType

import pytest
from invokeai.app.invocations.baseinvocation import BaseInvocation, InvocationRegistry
from invokeai.app.services.shared import graph as _all_nodes  # noqa: F401 - registers every node

from invokeai_saas.worker import noderules
from invokeai_saas.worker.engine.policy import DENIED_NODES, refusals

from .recording import graph

# Whatever downloads, opens files, reaches for a service that we leave out, or writes text at length.
RISKY = re.compile(
    r"load_remote_model|download_and_cache_model|heuristic_import|SafetyChecker|outputs_path|\bopen\("
    r"|\.write_text|\.write_bytes|urlopen|requests\.(?:get|post)|workflow_records|style_preset_records"
    r"|system_prompt_records|external_generation|context\.boards|TextLLMPipeline"
    r"|\.show\(\)|LlavaOnevisionPipeline|NotExecutableNodeError|_services\b|from_pretrained\([A-Z_]"
)
# Allowed though the pattern matches, each looked at:
REVIEWED = {
    "flux_redux": "its fall-back, the installer, is absent",
    "ip_adapter": "its fall-back, the installer, is absent",
    "invokeai_img_hue_adjust_plus": "opens a colour profile of InvokeAI's own package",
    "krea2_denoise": "opens the model's own configuration",
    "wan_denoise": "opens the model's own configuration",
    "qwen_image_text_encoder": "opens the model's own files; the hub is offline in our process",
}


@cache
def definitions(module: ModuleType) -> dict[str, str]:
    """Sources of a module's top-level functions and classes by name."""
    source = inspect.getsource(module)
    return {
        node.name: ast.get_source_segment(source, node) or ""
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


@cache
def risks(node_class: type[BaseInvocation]) -> set[str]:
    """Matches in a node, its bases, and everything of their modules that they mention."""
    found: set[str] = set()
    for base in node_class.__mro__:
        if not base.__module__.startswith("invokeai.app.invocations.") or base is BaseInvocation:
            continue
        sources, seen, waiting = definitions(sys.modules[base.__module__]), set[str](), [base.__name__]
        while waiting:
            name = waiting.pop()
            if name in sources and name not in seen:
                seen.add(name)
                found |= set(RISKY.findall(sources[name]))
                waiting += [other for other in sources if re.search(rf"\b{other}\b", sources[name])]
    return found


def test_no_node_that_downloads_or_opens_files_is_allowed() -> None:
    risky = {node.get_type(): risks(node) for node in InvocationRegistry.get_invocation_classes()}
    unexpected = {name: hits for name, hits in risky.items() if hits and name not in DENIED_NODES}
    assert unexpected.keys() == REVIEWED.keys()


def test_every_node_that_uses_a_downloaded_model_is_denied() -> None:
    downloading = {
        node.get_type()
        for node in InvocationRegistry.get_invocation_classes()
        if risks(node) & {"load_remote_model", "download_and_cache_model"}
    }
    assert len(downloading) >= 13
    assert downloading <= DENIED_NODES.keys()


def test_the_policy_names_only_nodes_that_exist() -> None:
    assert set(InvocationRegistry.get_invocation_types()) >= DENIED_NODES.keys()


def test_the_rules_for_values_name_only_nodes_and_fields_that_exist() -> None:
    nodes = {node.get_type(): node.model_fields for node in InvocationRegistry.get_invocation_classes()}
    assert nodes.keys() >= noderules._RULES.keys()
    assert {field for fields in nodes.values() for field in fields} >= noderules._EVERYWHERE.keys()
    harmless = {"id": "n", "image": None}  # a rule reads its own fields only, and each has a default
    assert [name for name in noderules._RULES if noderules.problem(name, harmless)] == []


def test_a_refusal_names_the_node_and_the_reason() -> None:
    (refusal,) = refusals(graph({"id": "a", "type": "add"}, {"id": "b", "type": "prompt_from_file"}))
    assert (refusal.node_id, refusal.node_type) == ("b", "prompt_from_file")
    assert "files" in refusal.reason


def test_a_refusal_may_be_of_a_value() -> None:
    harmless, harmful = (
        {"id": name, "type": "blank_image", "width": side} for name, side in (("a", 64), ("b", 10**6))
    )
    (refusal,) = refusals(graph(harmless, harmful))
    assert (refusal.node_id, refusal.node_type) == ("b", "blank_image")
    assert "1,000,000" in refusal.reason


@pytest.mark.parametrize(
    "broken", [{}, {"nodes": None}, {"nodes": []}, {"nodes": {"a": 1, "b": {"type": 2}}}]
)
def test_a_broken_graph_is_left_for_validation(broken: dict[str, object]) -> None:
    assert list(refusals(broken)) == []
