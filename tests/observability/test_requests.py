"""Headers and log lines that every answer gets, the unforeseen ones too."""

from __future__ import annotations

import psycopg
import pytest
import structlog
from structlog.testing import capture_logs

from tests.apps import RunningApi
from tests.servers import TestDatabase

QUEUE = "/api/v1/queue/default"


async def test_an_unforeseen_error_is_answered_and_logged_with_its_request_id(
    api: RunningApi, database: TestDatabase
) -> None:
    ada = await api.person("ada@example.com")
    with psycopg.connect(database.url()) as connection:
        connection.execute("ALTER TABLE client_state RENAME COLUMN value TO lost")
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        answer = await ada.get(
            "/api/v1/client_state/default/get_by_key?key=k", headers={"x-request-id": "the-one"}
        )
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "lost" not in answer.text
    assert answer.headers["x-request-id"] == "the-one"
    assert answer.headers["x-content-type-options"] == "nosniff"
    (line,) = [entry for entry in logs if entry["event"] == "request_failed"]
    assert line["request_id"] == "the-one"
    assert line["exc_info"]


async def test_request_ids_are_ours_unless_they_look_like_one(api: RunningApi) -> None:
    nobody = api.nobody()
    for given in ("a b", "x" * 65, "<script>"):
        answer = await nobody.get("/api/v1/auth/status", headers={"x-request-id": given})
        assert answer.headers["x-request-id"] != given
    kept = await nobody.get("/api/v1/auth/status", headers={"x-request-id": "abc.1-2_3"})
    assert kept.headers["x-request-id"] == "abc.1-2_3"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", f"{QUEUE}/enqueue_batch", b"\xff\xfe{", 400, "bad_request"),
        ("POST", f"{QUEUE}/enqueue_batch", b"[" * 100_000, 400, "bad_request"),
        ("POST", f"{QUEUE}/enqueue_batch", b"{", 422, "invalid_input"),
        ("POST", f"{QUEUE}/enqueue_batch", b'{"\\ud800": 1}', 422, "invalid_input"),
    ],
)
async def test_the_frameworks_own_refusals_have_a_code(
    api: RunningApi, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    ada = await api.person("ada@example.com")
    answer = await ada.request(method, path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"]
