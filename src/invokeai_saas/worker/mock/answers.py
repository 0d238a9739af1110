"""What a node's answer looks like, from InvokeAI's exported schemas."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from invokeai_saas.catalog.nodes import NodeCatalog

_PREFIX = "#/components/schemas/"
_DEEPEST = 8  # schemas that contain themselves


class Answers:
    """Answers of each type of node, filled with what can be known without a model.

    Parameters:
        nodes: the exported schemas.
    """

    def __init__(self, nodes: NodeCatalog) -> None:
        self._nodes = nodes
        self._output_of: dict[str, dict[str, Any]] | None = None

    def blank(self, fields: dict[str, Any]) -> dict[str, Any]:
        """An answer with every field that its schema asks for.

        A field that is called like one of the node's own passes that on, as loaders and primitives do; names of
        tensors are new; the rest is the type's plainest value.

        Parameters:
            fields: the node's, with what came along its edges.
        """
        schema = self._outputs().get(fields["type"])
        if schema is None:  # a node that the export does not know: the border refuses those
            raise ValueError(f"There is no node {fields['type']!r}.")
        answer = {}
        for name, part in schema["properties"].items():
            given = fields.get(name) if name != "type" else None
            answer[name] = given if given is not None else self._value(name, part, fields, 0)
        return answer

    def makes(self, node_type: str) -> str:
        """The name of the schema of a node's answer."""
        return str(self._outputs().get(node_type, {}).get("title", ""))

    def _outputs(self) -> dict[str, dict[str, Any]]:
        if self._output_of is None:
            schemas = self._nodes.document["components"]["schemas"]
            self._output_of = {
                schema["properties"]["type"]["const"]: schemas[schema["output"]["$ref"].removeprefix(_PREFIX)]
                for schema in schemas.values()
                if schema.get("class") == "invocation"
            }
        return self._output_of

    def _value(self, name: str, schema: dict[str, Any], fields: dict[str, Any], depth: int) -> Any:
        if "const" in schema:
            return schema["const"]
        if schema.get("default") is not None:
            return schema["default"]
        if "enum" in schema:
            return schema["enum"][0]
        if "anyOf" in schema or "oneOf" in schema:
            options = schema.get("anyOf") or schema["oneOf"]
            if {"type": "null"} in options:
                return None
            return self._value(name, options[0], fields, depth)
        if "$ref" in schema:
            return self._object(schema["$ref"].removeprefix(_PREFIX), fields, depth)
        if schema.get("type") == "string":
            return str(uuid4()) if name.endswith("_name") else ""
        plain: dict[str, Any] = {"integer": 0, "number": 0.0, "boolean": False, "array": [], "object": {}}
        return plain.get(schema.get("type", ""))

    def _object(self, title: str, fields: dict[str, Any], depth: int) -> Any:
        if title == "ModelIdentifierField":
            model = fields.get("model")
            return (
                model
                if isinstance(model, dict)
                else {"key": "", "hash": "", "name": "", "base": "any", "type": "main"}
            )
        if depth == _DEEPEST:
            return None
        schema = self._nodes.document["components"]["schemas"][title]
        if "properties" not in schema:
            return self._value("", schema, fields, depth + 1)
        required = set(schema.get("required", []))
        return {
            name: self._value(name, part, fields, depth + 1)
            for name, part in schema["properties"].items()
            if name in required or part.get("default") is not None
        }
