"""Headers and log lines that every answer gets, the unforeseen ones too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import structlog
from structlog.testing import capture_logs

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi
from tests.graphs import add_model, batch_body, seeds
from tests.processes import saas, wait_for
from tests.servers import TestDatabase
from tests.waiting import eventually

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


def _lines(folder: Path, process: str) -> list[dict[str, Any]]:
    (log,) = folder.glob(f"{process}-*.log")
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


async def test_a_line_leads_from_a_request_to_its_person_and_jobs(
    settings: Settings, database: TestDatabase
) -> None:
    """Real processes, whose lines are read as a log service reads them."""
    add_model(database)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    said = settings.model_copy(
        update={"port": port, "public_url": url, "log_level": "debug", "worker_engine": "mock"}
    )
    with saas(said, "api"), saas(said, "worker"):
        wait_for(url)
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            signed_up = await client.post(
                "/api/v1/auth/sign-up", json={"email": "ada@example.com", "password": PASSWORD}
            )
            headers = {"authorization": f"Bearer {signed_up.json()['token']}", "x-request-id": "the-one"}
            answer = await client.post(
                f"{QUEUE}/enqueue_batch", json=batch_body(data=seeds(1)), headers=headers
            )
            await client.get("/api/v1/app/version", headers={"x-request-id": "another"})
        await eventually(lambda: [x for x in _lines(said.data_dir, "worker") if x["event"] == "job_ended"])
    tenant, items = signed_up.json()["user"]["user_id"], answer.json()["item_ids"]
    api, worker = _lines(said.data_dir, "api"), _lines(said.data_dir, "worker")
    (queued,) = [line for line in api if line["event"] == "enqueued"]
    assert (queued["request_id"], queued["tenant"], queued["jobs"]) == ("the-one", tenant, items)
    (ended,) = [line for line in worker if line["event"] == "job_ended"]
    assert ([ended["job"]], ended["tenant"], ended["process"]) == (items, tenant, "worker")
    requests = {line["request_id"]: line for line in api if line["event"] == "request"}
    assert requests["the-one"]["tenant"] == tenant
    assert "tenant" not in requests["another"]  # what one request binds is not left to the next
    assert all({"event", "level", "timestamp", "process"} <= line.keys() for line in api + worker)


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
