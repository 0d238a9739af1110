"""Whether all that one JSON schema allows, another one allows as well.

Not for all of JSON Schema: for what FastAPI and pydantic write about requests. What is not known is a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jsonschema_rs

from tests.conformance.document import Json

_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_RULES = {"type", "anyOf", "oneOf", "enum", "const", "properties", "additionalProperties", *_UPPER, *_LOWER}
NO_TYPE = "no "
_FREE = {"type": ["null", "boolean", "integer", "number", "string", "array", "object"]}


class Difference(NamedTuple):
    """Something that `theirs` allows and `ours` does not.

    Parameters:
        place: the path of the field, parts joined by dots; `[]` is any item of a list.
        what: one word or two, as docs/contract.md has it: "ignored", "maxLength 255", "integer".
    """

    place: str
    what: str


class Comparison:
    """Compares schemas of two OpenAPI documents.

    Parameters:
        theirs, ours: the documents, for their components.
    """

    def __init__(self, theirs: Json, ours: Json) -> None:
        self._theirs = theirs
        self._ours = ours
        self._seen: set[tuple[str, str]] = set()

    def differences(self, theirs: Json, ours: Json, place: str = "") -> list[Difference]:
        """All the differences, each once."""
        self._seen = set()
        return sorted(set(self._compare(theirs, ours, place)))

    def _compare(self, theirs: Json, ours: Json, place: str) -> Iterator[Difference]:
        pair = (str(theirs.get("$ref")), str(ours.get("$ref")))
        if "$ref" in theirs and pair in self._seen:
            return
        self._seen.add(pair)
        theirs, ours = _resolved(self._theirs, theirs), _resolved(self._ours, ours)
        if not _says(ours):
            return
        for branch in _branches(theirs):
            candidates = [list(self._branch(branch, ours_branch, place)) for ours_branch in _branches(ours)]
            yield from min(candidates, key=_distance)

    def _branch(self, theirs: Json, ours: Json, place: str) -> Iterator[Difference]:
        theirs, ours = _resolved(self._theirs, theirs), _resolved(self._ours, ours)
        if any(key in theirs or key in ours for key in ("anyOf", "oneOf")):
            yield from self._compare(theirs, ours, place)
            return
        values = theirs.get("enum", [theirs["const"]] if "const" in theirs else None)
        if values is not None:
            yield from self._values(values, ours, place)
            return
        if "enum" in ours or "const" in ours:
            yield Difference(place, "some values only")
        if not _says(theirs) and _says(ours):
            theirs = {**theirs, **_FREE}
        missing = _types(theirs) - _types(ours)
        if missing:
            yield Difference(place, NO_TYPE + " or ".join(sorted(missing)))
            return
        yield from _bounds(theirs, ours, place)
        if "array" in _types(theirs):
            yield from self._compare(theirs.get("items", {}), ours.get("items", {}), f"{place}[]")
        if "object" in _types(theirs):
            yield from self._objects(theirs, ours, place)

    def _values(self, values: Sequence[Any], ours: Json, place: str) -> Iterator[Difference]:
        check = jsonschema_rs.Draft202012Validator({**ours, "components": self._ours.get("components", {})})
        refused = [str(value) for value in values if not check.is_valid(value)]
        if refused:
            yield Difference(place, f"not {', '.join(refused)}")

    def _objects(self, theirs: Json, ours: Json, place: str) -> Iterator[Difference]:
        known, rest = ours.get("properties", {}), ours.get("additionalProperties", not ours.get("properties"))
        for name in sorted(set(ours.get("required", [])) - set(theirs.get("required", []))):
            yield Difference(f"{place}.{name}", "required")
        for name, schema in theirs.get("properties", {}).items():
            inner = f"{place}.{name}"
            if name in known:
                yield from self._compare(schema, known[name], inner)
            elif isinstance(rest, dict):
                yield from self._compare(schema, rest, inner)
            elif not rest:
                refused = ours.get("additionalProperties") is False
                yield Difference(inner, "refused" if refused else "ignored")
        extra = theirs.get("additionalProperties", True)
        if ours.get("additionalProperties") is False and extra is not False:
            yield Difference(place, "no further fields")
        elif isinstance(extra, dict) and isinstance(rest, dict):
            yield from self._compare(extra, rest, f"{place}.*")


def _resolved(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        found = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _distance(differences: list[Difference]) -> tuple[bool, int]:
    """How far a branch is from taking a value: a value of a wrong type is further off than one that is too long."""
    return any(difference.what.startswith(NO_TYPE) for difference in differences), len(differences)


def _says(schema: Json) -> bool:
    """Whether a schema refuses anything at all."""
    return bool(schema.keys() & _RULES)


def _branches(schema: Json) -> list[Json]:
    found: list[Json] = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return found


def _types(schema: Json) -> set[str]:
    named = schema.get("type", "object" if "properties" in schema else _FREE["type"])
    types = {named} if isinstance(named, str) else set(named)
    return types | {"integer"} if "number" in types else types


def _bounds(theirs: Json, ours: Json, place: str) -> Iterator[Difference]:
    for bound in _UPPER:
        if bound in ours and ours[bound] < theirs.get(bound, float("inf")):
            yield Difference(place, f"{bound} {ours[bound]:.16g}")
    for bound in _LOWER:
        if bound in ours and ours[bound] > theirs.get(bound, float("-inf")):
            yield Difference(place, f"{bound} {ours[bound]:.16g}")
    for rule in ("pattern", "format"):
        if rule in ours and ours[rule] != theirs.get(rule) and "string" in _types(theirs):
            yield Difference(place, f"{rule} {ours[rule]}")
