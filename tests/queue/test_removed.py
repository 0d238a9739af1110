"""Jobs that are removed from the list while they run: gone for their person, and settled as any other."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.queue.claims import Claims
from tests.apps import RunningApi, Subject
from tests.graphs import add_model, batch_body, seeds
from tests.money import violations
from tests.servers import TestDatabase

QUEUE = "/api/v1/queue/default"


@pytest.fixture(autouse=True)
def model(database: TestDatabase) -> dict[str, Any]:
    return add_model(database)


async def _enqueue(subject: Subject, **changes: Any) -> dict[str, Any]:
    answer = await subject.post(f"{QUEUE}/enqueue_batch", json=batch_body(**changes))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize("way", ["clear", "delete", "by destination"])
async def test_a_running_job_leaves_the_list_at_once_and_is_settled_later(
    api: RunningApi, database: TestDatabase, way: str
) -> None:
    ada = await api.person("ada@example.com")
    body = await _enqueue(ada, data=seeds(1, 2), destination="canvas")
    batch = body["batch"]["batch_id"]
    claims = Claims(database.url(roles.WORKER))
    claim = claims.claim("basic", "w", [], 60.0, 0.0, 3600.0)
    assert claim is not None
    assert (await ada.get(f"{QUEUE}/status")).json()["queue"]["in_progress"] == 1
    if way == "clear":
        assert (await ada.put(f"{QUEUE}/clear")).json() == {"deleted": 2}
    elif way == "delete":
        for item in body["item_ids"]:
            assert (await ada.request("DELETE", f"{QUEUE}/i/{item}")).status_code == 200
    else:
        gone = await ada.request("DELETE", f"{QUEUE}/d/canvas")
        assert gone.json() == {"deleted": 2}
    assert (await ada.get(f"{QUEUE}/item_ids")).json() == {"item_ids": [], "total_count": 0}
    assert (await ada.get(f"{QUEUE}/i/{claim.item_id}")).status_code == 404
    assert (await ada.get(f"{QUEUE}/list_all")).json() == []
    assert (await ada.get(f"{QUEUE}/current")).json() is None
    queue = (await ada.get(f"{QUEUE}/status")).json()["queue"]
    assert (queue["in_progress"], queue["total"], queue["item_id"]) == (0, 0, None)
    assert (await ada.get(f"{QUEUE}/b/{batch}/status")).json()["total"] == 0
    assert claims.status_event(claim.item_id) is None  # nothing brings it back into the page
    assert violations(database) == {}
    assert claims.heartbeat(claim.attempt_id, 60.0, 2.0, 5.0) == "cancel"
    finished = claims.finish(claim.attempt_id, "canceled", 3.4, {})
    assert (finished.accepted, finished.charged) == (True, 4)
    ended = claims.status_event(claim.item_id)
    assert ended is not None and (ended["status"], ended["queue_status"]["total"]) == ("canceled", 0)
    assert (await ada.get(f"{QUEUE}/item_ids")).json()["item_ids"] == []
    assert violations(database) == {}
    claims.drop_removed()  # its worker may not have told of its end yet
    with psycopg.connect(database.owner, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM session_queue").fetchone() == (1,)
        connection.execute("UPDATE session_queue SET completed_at = now() - interval '2 minutes'")
        claims.drop_removed()
        assert connection.execute("SELECT count(*) FROM session_queue").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM job_batches").fetchone() == (0,)
    assert violations(database) == {}
    claims.close()


async def test_a_removed_job_whose_worker_dies_ends(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    await _enqueue(ada)
    claims = Claims(database.url(roles.WORKER))
    assert claims.claim("basic", "w", [], 0.0, 0.0, 3600.0) is not None
    assert (await ada.put(f"{QUEUE}/clear")).json() == {"deleted": 1}
    reaped = claims.reap(3)
    assert reaped is not None and reaped.status == "canceled"
    assert (await ada.get(f"{QUEUE}/item_ids")).json()["item_ids"] == []
    assert violations(database) == {}
    claims.close()
