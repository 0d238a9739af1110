"""Node types as the border check needs them: fields, their types, and validators of their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import jsonschema_rs

from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.queue.fieldtypes import FieldType, read_type

_DOCUMENT = "urn:invokeai-nodes"


@dataclass(frozen=True)
class NodeType:
    """One kind of node. `inputs` are all its fields; `required` must get a value or an edge."""

    name: str
    schema_name: str
    properties: Mapping[str, Any]
    inputs: Mapping[str, FieldType]
    outputs: Mapping[str, FieldType]
    required: frozenset[str]
    takes_extra_fields: bool

    def accepts_edge(self, field: str) -> bool:
        """Whether an input may be fed by an edge."""
        return bool(self.properties[field].get("input") != "direct")

    def accepts_value(self, field: str) -> bool:
        """Whether an input may be given directly."""
        return bool(self.properties[field].get("input") != "connection")


class NodeTypes:
    """All node types of the catalogue; each is worked out when first asked for."""

    def __init__(self, catalog: NodeCatalog) -> None:
        self._catalog = catalog
        self._known = cache(self._build)
        self._validator = cache(self._make_validator)

    @cached_property
    def _names(self) -> dict[str, str]:
        schemas = self._catalog.document["components"]["schemas"]
        return {
            schema["properties"]["type"]["const"]: name
            for name, schema in schemas.items()
            if schema.get("class") == "invocation"
        }

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        return jsonschema_rs.Registry([(_DOCUMENT, self._catalog.document)])

    def get(self, name: str) -> NodeType | None:
        """The node type of a name; None for a name that the catalogue lacks, of which nothing is kept."""
        return self._known(name) if name in self._names else None

    def denied(self, name: str) -> str | None:
        """Why a known node may not run on shared workers; None when it may."""
        return self._catalog.denied.get(name)

    def _build(self, name: str) -> NodeType:
        schema_name = self._names[name]
        schemas = self._catalog.document["components"]["schemas"]
        schema = schemas[schema_name]
        output = schemas[schema["output"]["$ref"].rpartition("/")[2]]
        properties = schema["properties"]
        required = {
            field
            for field, p in properties.items()
            if p.get("field_kind") == "input" and p.get("orig_required") and p.get("orig_default") is None
        }
        return NodeType(
            name=name,
            schema_name=schema_name,
            properties=properties,
            inputs={field: read_type(p, schemas) for field, p in properties.items()},
            outputs={field: read_type(p, schemas) for field, p in output["properties"].items()},
            required=frozenset(required),
            takes_extra_fields=schema.get("additionalProperties") is True,
        )

    def _make_validator(self, schema_name: str, field: str) -> jsonschema_rs.Draft202012Validator:
        place = f"{_DOCUMENT}#/components/schemas/{schema_name}/properties/{field}"
        return jsonschema_rs.Draft202012Validator({"$ref": place}, registry=self._registry)

    def value_error(self, node_type: NodeType, field: str, value: Any) -> str | None:
        """What is wrong with a value given to a field; None when nothing is."""
        validator = self._validator(node_type.schema_name, field)
        if validator.is_valid(value):
            return None
        error = next(iter(validator.iter_errors(value)))
        return str(error.message)[:200]
