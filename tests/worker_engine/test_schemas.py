"""The export that the API serves and validates graphs with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from invokeai_saas.worker.engine.policy import DENIED_NODES
from invokeai_saas.worker.engine.schemas import EXTENSION, export_node_schemas, node_schemas


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "deeper" / "nodes.json"
    export_node_schemas(path)
    return path


@pytest.fixture(scope="module")
def document(exported: Path) -> dict[str, Any]:
    return dict(json.loads(exported.read_text(encoding="utf-8")))


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(references(item) for item in value))
    return set()


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert references(document) <= {f"#/components/schemas/{name}" for name in schemas}


def test_every_node_has_a_type_and_an_output(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    nodes = [schema for schema in schemas.values() if schema.get("class") == "invocation"]
    assert len(nodes) > 300
    for node in nodes:
        output = schemas[node["output"]["$ref"].rpartition("/")[2]]
        assert output["class"] == "output"


def test_each_node_is_either_allowed_or_denied_with_a_reason(document: dict[str, Any]) -> None:
    schemas, ours = document["components"]["schemas"], document[EXTENSION]
    types = {
        schema["properties"]["type"]["const"]
        for schema in schemas.values()
        if schema.get("class") == "invocation"
    }
    assert {*ours["allowed_nodes"], *ours["denied_nodes"]} == types
    assert ours["denied_nodes"] == dict(DENIED_NODES)
    assert {"l2i", "denoise_latents", "core_metadata", "ip_adapter"} <= set(ours["allowed_nodes"])
    assert ours["invokeai_version"] == "6.14.2"


def test_no_path_of_the_machine_that_exported_is_in_it(exported: Path) -> None:
    text = exported.read_text(encoding="utf-8")
    assert str(Path.home()) not in text
    assert "site-packages" not in text


def test_a_second_export_is_the_same_and_leaves_nothing_else(exported: Path) -> None:
    before = exported.read_bytes()
    export_node_schemas(exported)
    assert exported.read_bytes() == before
    assert list(exported.parent.iterdir()) == [exported]


def test_a_failed_export_leaves_the_old_one(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = exported.read_bytes()

    def fail(_self: Path, _target: Path) -> Path:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        export_node_schemas(exported)
    assert exported.read_bytes() == before
    assert list(exported.parent.iterdir()) == [exported]


def test_the_page_s_type_map_is_complete(document: dict[str, Any]) -> None:
    schemas = node_schemas()["components"]["schemas"]
    assert document["components"]["schemas"].keys() == schemas.keys()
    assert "InvocationOutputMap" in schemas
