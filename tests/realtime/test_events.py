"""Every event that this service sends, provoked for real and validated by InvokeAI's own models.

The engine's events are InvokeAI's own objects; `tests/worker_engine/test_engine.py` looks at those.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.apps import LiveApi, Subject
from tests.factories import make_image
from tests.graphs import add_model, batch_body, seeds
from tests.realtime.clients import Heard, Listener, listening
from tests.servers import TestDatabase
from tests.studio.workflows.library import LIBRARY, keep
from tests.waiting import eventually
from tests.workers import working

QUEUE = "/api/v1/queue/default"
ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / ".venv-engine" / "bin" / "python"
OWN = {"credits_changed"}  # ours, for our bar: InvokeAI's page does not listen to it
_ROW = re.compile(r"^\| `(\w+)` \| (\w[\w ]*) \|", re.MULTILINE)


def _validated(heard: Heard) -> dict[str, Any]:
    if not ENGINE.exists():
        pytest.skip("NOT TESTED: events by InvokeAI's models. No .venv-engine: `make install`.")
    done = subprocess.run(
        [str(ENGINE), str(ROOT / "tests" / "realtime" / "validate.py")],
        input=json.dumps(heard), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _documented() -> dict[str, str]:
    """The table of docs/contract.md: event, and whether it is sent."""
    page = (ROOT / "docs" / "contract.md").read_text()
    return dict(_ROW.findall(page.split("\n## Events\n", 1)[1]))


async def _enqueue(subject: Subject, **changes: Any) -> dict[str, Any]:
    answer = await subject.post(f"{QUEUE}/enqueue_batch", json=batch_body(**changes))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def _put(subject: Subject, path: str, body: Any = None) -> None:
    answer = await subject.put(f"{QUEUE}{path}", json=body)
    assert answer.status_code == 200, answer.text


async def _heard(listener: Listener, name: str, count: int = 1) -> list[dict[str, Any]]:
    await eventually(lambda: len(listener.of(name)) >= count)
    return listener.of(name)


async def _of_the_queue(ada: Subject, page: Listener) -> None:
    """Queue, cancel, retry, delete and clear, with no worker to take anything."""
    batch = await _enqueue(ada, data=seeds(1, 2))
    await _put(ada, "/cancel_by_batch_ids", {"batch_ids": [batch["batch"]["batch_id"]]})
    (gone,) = await _heard(page, "queue_items_canceled")
    assert sorted(gone["canceled_item_ids"]) == sorted(batch["item_ids"])
    await _put(ada, "/retry_items_by_id", batch["item_ids"])
    (again,) = await _heard(page, "queue_items_retried")
    assert sorted(again["retried_item_ids"]) == sorted(batch["item_ids"])
    await _enqueue(ada, destination="canvas")
    await ada.request("DELETE", f"{QUEUE}/d/canvas")
    _, deleted = await _heard(page, "queue_items_canceled", 2)
    assert len(deleted["canceled_item_ids"]) == 1
    await _put(ada, "/delete_all_except_current")
    await _heard(page, "queue_items_canceled", 3)
    (item,) = (await _enqueue(ada))["item_ids"]
    await _put(ada, f"/i/{item}/cancel")
    (cancelled,) = await _heard(page, "queue_item_status_changed")
    assert cancelled["status"] == "canceled"
    await _put(ada, "/clear")
    await _heard(page, "queue_cleared")


async def _of_a_job(ada: Subject, page: Listener, api: LiveApi) -> None:
    async with working(api.settings):
        await _enqueue(ada, origin="generate", destination="gallery")
        await eventually(lambda: "completed" in _statuses(page))


async def _of_what_is_kept(ada: Subject, page: Listener, database: TestDatabase) -> None:
    """The library, recall, and a download that cannot be made: its picture has no file."""
    kept = await keep(ada)
    path = f"{LIBRARY}/i/{kept['workflow_id']}"
    for public in (True, False):
        await ada.request("PATCH", f"{path}/is_public", json={"is_public": public})
    await ada.request("DELETE", path)
    await _heard(page, "workflow_deleted")
    answer = await ada.post("/api/v1/recall/default", json={"steps": 7})
    assert answer.status_code == 200, answer.text
    await _heard(page, "recall_parameters_updated")
    assert ada.user_id is not None
    with psycopg.connect(database.owner) as connection:
        lost = make_image(connection, ada.user_id)
    await ada.post("/api/v1/images/download", json={"image_names": [lost]})
    await _heard(page, "bulk_download_error")


def _statuses(page: Listener) -> list[str]:
    return [payload["status"] for payload in page.of("queue_item_status_changed")]


async def test_every_event_fits_invokeais_own_model_and_the_table_names_them_all(
    live_api: LiveApi, database: TestDatabase
) -> None:
    add_model(database)
    ada, bob = await live_api.person("ada@example.com"), await live_api.person("bob@example.com")
    async with listening(live_api.url, ada.token) as page, listening(live_api.url, bob.token) as bobs:
        await _of_the_queue(ada, page)
        await _of_a_job(ada, page, live_api)
        await _of_what_is_kept(ada, page, database)
        assert bobs.heard == []
    theirs = [(name, payload) for name, payload in page.heard if name not in OWN]
    answer = _validated(theirs)
    assert answer["wrong"] == []
    documented = _documented()
    assert sorted(documented) == answer["names"]
    assert {name for name, _ in theirs} <= {name for name, sent in documented.items() if sent == "sent"}
    assert all(payload["user_id"] == str(ada.user_id) for _, payload in theirs if "user_id" in payload)
