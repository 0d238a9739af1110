"""What the OpenAPI document says of refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps import RunningApi


@pytest.fixture
async def paths(api: RunningApi) -> dict[str, Any]:
    document = (await api.nobody().get("/openapi.json")).json()
    assert {"RefusedRequest", "InvalidRequest"} <= document["components"]["schemas"].keys()
    return dict(document["paths"])


def _statuses(operation: dict[str, Any]) -> set[int]:
    return {int(status) for status in operation["responses"]}


async def test_each_operation_says_what_can_come_of_it(paths: dict[str, Any]) -> None:
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert {429, 503} <= _statuses(operation), (method, path)
    boards = paths["/api/v1/boards/{board_id}"]
    assert _statuses(boards["get"]) == {200, 401, 403, 404, 422, 429, 503}
    assert _statuses(boards["patch"]) == {201, 400, 401, 403, 404, 409, 413, 422, 429, 503}
    assert {402, 507} <= _statuses(paths["/api/v1/queue/{queue_id}/enqueue_batch"]["post"])
    assert 401 not in _statuses(paths["/api/v1/app/version"]["get"])


async def test_a_refusal_has_our_body(api: RunningApi, paths: dict[str, Any]) -> None:
    responses = paths["/api/v1/boards/{board_id}"]["patch"]["responses"]
    for status, name in (("404", "RefusedRequest"), ("422", "InvalidRequest")):
        schema = responses[status]["content"]["application/json"]["schema"]
        assert schema == {"$ref": f"#/components/schemas/{name}"}
    assert "`not_in_plan`" in responses["403"]["description"]
