"""Types of node fields, derived from InvokeAI's exported schemas, and which may be joined by an edge.

A type is a set of atoms. The rules follow InvokeAI 6.14's own edge check, quirks included (a value may go
where a list of its kind is wanted, and the other way round); they were compared with it over every pair of
output and input types there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Atom = str | tuple[Any, ...]
FieldType = frozenset[Atom]

ANY: FieldType = frozenset({"any"})
STRING: FieldType = frozenset({"string"})
_REF = "#/components/schemas/"


def read_type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> FieldType:
    """The type that a property's JSON schema describes.

    Parameters:
        schema: schema of the property.
        schemas: `components.schemas`, to tell enumerations from objects behind a reference.
    """
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(_REF)
        values = schemas.get(name, {}).get("enum")
        return frozenset({("literal", tuple(values), name) if values else name})
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return frozenset().union(*(read_type(part, schemas) for part in schema[union]))
    if len(schema.get("allOf", ())) == 1:
        return read_type(schema["allOf"][0], schemas)
    if "const" in schema:
        return frozenset({("literal", (schema["const"],))})
    if "enum" in schema:
        return frozenset({("literal", tuple(schema["enum"]))})
    kind = schema.get("type")
    if kind == "array":
        return frozenset({("list", read_type(schema["items"], schemas) if "items" in schema else ANY)})
    if kind == "object":
        values = schema.get("additionalProperties")
        return frozenset({("dict", STRING, read_type(values, schemas) if isinstance(values, dict) else ANY)})
    return frozenset({str(kind)}) if kind else ANY


def _arguments(kind: FieldType) -> list[FieldType]:
    """Members of a union, or parameters of a list, a dict or an anonymous literal."""
    if len(kind) > 1:
        return [frozenset({atom}) for atom in kind]
    (atom,) = kind
    if isinstance(atom, str):
        return []
    if atom[0] == "list":
        return [atom[1]]
    if atom[0] == "dict":
        return [atom[1], atom[2]]
    return [frozenset({("value", value)}) for value in atom[1]] if len(atom) == 2 else []


def _is_any(kind: FieldType) -> bool:
    return kind == ANY or ANY in _arguments(kind)


_WIDENS = {("integer", "number"), ("integer", "string"), ("number", "string"), ("boolean", "integer")}


def compatible(source: FieldType, target: FieldType) -> bool:
    """Whether an edge may go from an output of type `source` into an input of type `target`."""
    if source == target or _is_any(source) or _is_any(target):
        return True
    inside_source, inside_target = _arguments(source), _arguments(target)
    if source in inside_target or target in inside_source:
        return True
    if len(source) == 1 == len(target) and (next(iter(source)), next(iter(target))) in _WIDENS:
        return True
    return bool(inside_source) and all(part in inside_target for part in inside_source)


def element_type(kind: FieldType) -> FieldType | None:
    """Type of a list's elements; ANY for untyped; None when it is no list."""
    if kind == ANY:
        return ANY
    lists = [atom for atom in kind if isinstance(atom, tuple) and atom[0] == "list"]
    return lists[0][1] if lists else None
