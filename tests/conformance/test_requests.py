"""What InvokeAI's document lets a client send, ours takes; docs/contract.md has a line for each exception."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest

from tests.apps import RunningApi
from tests.conformance import document
from tests.conformance.accepts import Comparison, Difference
from tests.conformance.document import Json
from tests.contract import BY_NAME, DOCUMENT

_LIMIT = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \| (.+) \|$", re.MULTILINE)


class Limit(NamedTuple):
    """A line of docs/contract.md. The first three are patterns with `*`, as file names have them."""

    operations: str
    place: str
    what: str
    why: str

    def covers(self, name: str, difference: Difference) -> bool:
        return (
            fnmatchcase(name, _literal(self.operations))
            and fnmatchcase(difference.place, _literal(self.place))
            and difference.what == self.what
        )


def _literal(pattern: str) -> str:
    """Only `*` is special: brackets mark lists, and are not sets of characters."""
    return pattern.replace("[", "[[]")


LIMITS = [Limit(*found) for found in _LIMIT.findall(DOCUMENT.read_text())]


@pytest.fixture
async def ours(api: RunningApi) -> Json:
    found: Json = (await api.nobody().get("/openapi.json")).json()
    return found


def _parameters(operation: Json) -> dict[tuple[str, str], Json]:
    return {(parameter["in"], parameter["name"]): parameter for parameter in operation.get("parameters", [])}


def _not_null(schema: Json) -> Json:
    """A parameter of an address can be left out; there is no way to send null."""
    branches = schema.get("anyOf", [])
    return {"anyOf": [branch for branch in branches if branch != {"type": "null"}]} if branches else schema


def _of_parameters(compared: Comparison, theirs: Json, ours: Json) -> Iterator[Difference]:
    known = _parameters(ours)
    for (where, name), parameter in _parameters(theirs).items():
        place, mine = f"{where}.{name}", known.get((where, name))
        if mine is None:
            yield Difference(place, "ignored")
            continue
        if mine.get("required") and not parameter.get("required"):
            yield Difference(place, "required")
        yield from compared.differences(_not_null(parameter["schema"]), mine["schema"], place)
    for (where, name), parameter in known.items():
        if parameter.get("required") and (where, name) not in _parameters(theirs) and where != "path":
            yield Difference(f"{where}.{name}", "required")


def _of_bodies(compared: Comparison, theirs: Json, ours: Json) -> Iterator[Difference]:
    body, mine = theirs.get("requestBody"), ours.get("requestBody")
    if body is None or mine is None:
        if body is not None:
            yield Difference("body", "ignored")
        elif mine is not None and mine.get("required"):
            yield Difference("body", "required")
        return
    if mine.get("required") and not body.get("required"):
        yield Difference("body", "required")
    for media_type, content in body["content"].items():
        if media_type not in mine["content"]:
            yield Difference("body", f"no {media_type}")
        else:
            yield from compared.differences(content["schema"], mine["content"][media_type]["schema"], "body")


def _differences(ours: Json) -> dict[str, list[Difference]]:
    described, compared = document.described(ours), Comparison(document.document(), ours)
    found = {}
    for name, theirs in document.operations().items():
        if not BY_NAME[name].is_answered:
            continue
        if name not in described:
            found[name] = [Difference("", "not described")]
            continue
        all_of_it = [
            *_of_parameters(compared, theirs, described[name]),
            *_of_bodies(compared, theirs, described[name]),
        ]
        if BY_NAME[name].answer == "empty":  # whatever is asked of nothing, nothing is the answer
            all_of_it = [difference for difference in all_of_it if difference.what != "ignored"]
        found[name] = all_of_it
    return found


def test_the_contract_has_each_operation_of_the_document() -> None:
    assert set(BY_NAME) == set(document.operations())


async def test_what_a_client_may_send_is_taken(ours: Json) -> None:
    refused = [
        f"{name} {place}: {what}"
        for name, differences in _differences(ours).items()
        for place, what in differences
        if not any(limit.covers(name, Difference(place, what)) for limit in LIMITS)
    ]
    assert not refused, "\n".join(refused)


async def test_each_limit_of_the_contract_is_one(ours: Json) -> None:
    found = [
        (name, difference) for name, differences in _differences(ours).items() for difference in differences
    ]
    idle = [limit for limit in LIMITS if not any(limit.covers(*difference) for difference in found)]
    assert not idle


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        ({"type": "string"}, {"type": "string", "maxLength": 5}, {("x", "maxLength 5")}),
        ({"type": "integer"}, {"type": "number"}, set()),
        ({"type": "number"}, {"type": "integer"}, {("x", "no number")}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string"}, {("x", "no null")}),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, {("x", "not b")}),
        ({"type": "string"}, {"enum": ["a"], "type": "string"}, {("x", "some values only")}),
        ({"properties": {"a": {}}}, {"properties": {"b": {}}, "required": ["b"]},
         {("x.a", "ignored"), ("x.b", "required")}),
        ({"properties": {"a": {}}}, {"additionalProperties": False}, {("x.a", "refused"), ("x", "no further fields")}),
        ({"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "integer"}},
         {("x[]", "no string")}),
        ({}, {"type": "object"}, {("x", "no array or boolean or integer or null or number or string")}),
    ],
)  # fmt: skip
def test_the_comparison_sees_what_is_taken_less(theirs: Json, ours: Json, expected: Any) -> None:
    assert set(Comparison({}, {}).differences(theirs, ours, "x")) == expected
