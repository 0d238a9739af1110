"""Each operation that we serve, called well: InvokeAI's success status, and an answer that its schema accepts.

What docs/contract.md calls served has had such an answer here; what it calls refused is refused, and held to InvokeAI's
schema from the day that it is served.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import orjson
import pytest

from invokeai_saas.settings import Settings
from tests.apps import RunningApi
from tests.conformance import document
from tests.conformance.calls import EXPECTED
from tests.conformance.nearby import hub_nearby
from tests.conformance.scene import Scene, new_scene
from tests.contract import OPERATIONS, Operation
from tests.servers import TestDatabase

GROUPS = sorted({operation.path.split("/")[3] for operation in OPERATIONS})


def problems(name: str, answer: httpx.Response) -> list[str]:
    """What InvokeAI's document has against a good call's answer."""
    expected = EXPECTED.get(name, document.success(name))
    if answer.status_code != expected:
        return [f"{name}: {answer.status_code} instead of {expected}: {answer.text[:300]}"]
    if expected >= 400:
        return []
    documented = document.contents(name, expected)
    media = answer.headers.get("content-type", "").split(";")[0]
    if documented and "application/json" not in documented and media not in documented:
        return [f"{name}: {media} instead of {', '.join(documented)}"]
    schema = document.validator(name, expected)
    if schema is None:
        return []
    value = orjson.loads(answer.content)
    return [f"{name}: {problem}" for problem in [*violations(schema, value), *failures(value)]]


def violations(schema: jsonschema_rs.Draft202012Validator, value: Any) -> list[str]:
    """Up to five sentences."""
    found = [f"{'/'.join(map(str, e.instance_path))}: {e.message[:300]}" for e in schema.iter_errors(value)]
    return found[:5]


def failures(value: Any) -> list[str]:
    """What a good call for several things did not do for all of them."""
    fields = value.items() if isinstance(value, dict) else ()
    return [f"{field}: {what}" for field, what in fields if field.startswith("failed") and what]


@pytest.fixture
def settings(settings: Settings) -> Iterator[Settings]:
    with hub_nearby(settings) as found:
        yield found


async def _problems(scene: Scene, operation: Operation, succeeded: set[str]) -> list[str]:
    """All that is wrong with an operation's answer. One that InvokeAI would give on success is noted as `succeeded`."""
    if operation.is_answered:
        answer = await scene.send(operation.name)
        found = problems(operation.name, answer)
        if answer.is_success and not found:
            succeeded.add(operation.name)
        return found
    answer = await scene.owner.request(operation.method, operation.example)
    if answer.status_code != int(operation.answer):
        return [f"{operation.name}: {answer.status_code}, though docs/contract.md says {operation.answer}"]
    return []


@pytest.mark.parametrize("group", GROUPS)
async def test_good_calls_get_invokeais_answers(api: RunningApi, database: TestDatabase, group: str) -> None:
    scene = await new_scene(api, database, own_models=True)
    found: list[str] = []
    succeeded: set[str] = set()
    of_group = [operation for operation in OPERATIONS if operation.path.split("/")[3] == group]
    for operation in sorted(of_group, key=lambda operation: operation.path.endswith("/logout")):
        found += await _problems(scene, operation, succeeded)  # nothing works after the log-out
    assert not found, "\n".join(found)
    served = {operation.name for operation in of_group if operation.answer == "served"}
    assert served <= succeeded, "docs/contract.md calls served what has not succeeded"


def test_the_contract_has_all_of_invokeais_operations() -> None:
    assert {operation.name for operation in OPERATIONS} == document.operations().keys()


def test_a_wrong_answer_would_be_seen() -> None:
    """The control: what is no success, is another form, or has failed in part."""
    board, many = "GET /api/v1/boards/{board_id}", "POST /api/v2/models/i/bulk_delete"
    assert problems(board, httpx.Response(422, json={"detail": "No."}))
    assert problems(board, httpx.Response(200, json={"board_id": 5}))
    half = {"deleted": ["a"], "failed": [{"key": "b", "error": "This model was not found."}]}
    assert problems(many, httpx.Response(200, json=half)) == [f"{many}: failed: {half['failed']}"]
    assert not problems(many, httpx.Response(200, json=half | {"failed": []}))
