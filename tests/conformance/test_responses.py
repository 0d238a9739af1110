"""Each operation that we serve, called well: InvokeAI's success status, and an answer that its schema accepts.

What is refused today answers as docs/contract.md says, and is held to InvokeAI's schema from the day that it is served.
"""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema_rs
import orjson
import pytest

from tests.apps import RunningApi
from tests.conformance import document
from tests.conformance.scene import Scene, new_scene
from tests.contract import OPERATIONS, Operation
from tests.servers import TestDatabase

# Statuses that InvokeAI's document has beside the one that its endpoint gives, or instead of it.
STATUS = {"GET /api/v2/models/i/{key}/image": 404}  # no model has a cover picture
GROUPS = sorted({operation.path.split("/")[3] for operation in OPERATIONS})


def problems(name: str, answer: httpx.Response) -> list[str]:
    """What InvokeAI's document has against a good call's answer."""
    expected = STATUS.get(name, document.success(name))
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
    return [f"{name}: {problem}" for problem in violations(schema, orjson.loads(answer.content))]


def violations(schema: jsonschema_rs.Draft202012Validator, value: Any) -> list[str]:
    """Up to five sentences."""
    found = [f"{'/'.join(map(str, e.instance_path))}: {e.message[:300]}" for e in schema.iter_errors(value)]
    return found[:5]


async def _outcome(scene: Scene, operation: Operation) -> list[str]:
    if operation.is_answered:
        return problems(operation.name, await scene.send(operation.name))
    answer = await scene.owner.request(operation.method, operation.example)
    if answer.status_code != int(operation.answer):
        return [f"{operation.name}: {answer.status_code}, though docs/contract.md says {operation.answer}"]
    return []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("group", GROUPS)
async def test_good_calls_get_invokeais_answers(api: RunningApi, database: TestDatabase, group: str) -> None:
    scene = await new_scene(api, database)
    found = []
    of_group = [operation for operation in OPERATIONS if operation.path.split("/")[3] == group]
    for operation in sorted(of_group, key=lambda operation: operation.path.endswith("/logout")):
        found += await _outcome(scene, operation)  # nothing works after the log-out
    assert not found, "\n".join(found)
