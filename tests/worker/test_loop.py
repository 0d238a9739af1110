"""The worker's loop with the mock engine, on real servers: from an enqueued batch to pictures and a settled ledger."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import pytest
import socketio
from PIL import Image
from psycopg.types.json import Jsonb

from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import open_object_store
from invokeai_saas.worker.contract import ClaimedJob, JobContext, Outcome
from invokeai_saas.worker.mock import MockEngine
from tests.apps import RunningApi, Subject
from tests.graphs import add_model, batch_body, picture_graph, seeds
from tests.money import violations
from tests.servers import TestDatabase
from tests.waiting import eventually
from tests.workers import working

QUEUE = "/api/v1/queue/default"


@pytest.fixture(autouse=True)
def model(database: TestDatabase) -> dict[str, Any]:
    return add_model(database)


async def _enqueue(subject: Subject, **changes: Any) -> list[int]:
    answer = await subject.post(f"{QUEUE}/enqueue_batch", json=batch_body(**changes))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["item_ids"])


async def _ended(subject: Subject, item: int) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found: dict[str, Any] = (await subject.get(f"{QUEUE}/i/{item}")).json()
        return found if found["status"] in ("completed", "failed", "canceled") else None

    return await eventually(look)


async def test_a_batch_becomes_pictures_and_a_settled_ledger(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    ada = await api.person("ada@example.com")
    async with working(settings):
        items = await _enqueue(ada, data=seeds(1, 2))
        ended = [await _ended(ada, item) for item in items]
    assert [item["status"] for item in ended] == ["completed", "completed"]
    with psycopg.connect(database.url()) as connection:
        rows = connection.execute("SELECT s3_key, s3_thumbnail_key, user_id FROM images").fetchall()
        used = connection.execute("SELECT count(*), min(credits_consumed) FROM usage_records").fetchone()
    assert used == (2, 1)
    assert len(rows) == 2
    made_with: set[int] = set()
    for key, thumbnail, owner in rows:
        assert owner == ada.user_id
        assert key.startswith(f"users/{ada.user_id}/images/")
        objects = open_object_store(settings)
        picture = Image.open(io.BytesIO((await objects.get(key)).data))
        assert (picture.format, picture.size) == ("PNG", (64, 64))
        # What a picture was made with travels within it, in InvokeAI's own text chunk.
        made_with.add(json.loads(picture.info["invokeai_graph"])["nodes"]["noise"]["seed"])
        assert Image.open(io.BytesIO((await objects.get(thumbnail)).data)).format == "WEBP"
    assert made_with == {1, 2}
    assert violations(database) == {}


async def test_events_reach_their_person_in_order_and_nobody_else(
    live_api: Any, settings: Settings, database: TestDatabase
) -> None:
    """Over real sockets: Ada's page hears of her job, Bob's hears nothing at all."""
    ada, bob = await live_api.person("ada@example.com"), await live_api.person("bob@example.com")
    heard: dict[str, list[tuple[str, dict[str, Any]]]] = {"ada": [], "bob": []}
    async with (
        _listening(live_api, ada, heard["ada"]),
        _listening(live_api, bob, heard["bob"]),
    ):
        (item,) = await _enqueue(ada)
        await eventually(lambda: any(e == "batch_enqueued" for e, _ in heard["ada"]))
        async with working(settings):
            await _ended(ada, item)
            await eventually(lambda: any(e == "credits_changed" for e, _ in heard["ada"]))
    names = [name for name, _ in heard["ada"]]
    assert names.count("invocation_progress") == 3
    nodes = [(n, e["invocation_source_id"]) for n, e in heard["ada"] if n.startswith("invocation_")]
    assert names.index("batch_enqueued") < names.index("invocation_started")
    for node in batch_body()["batch"]["graph"]["nodes"]:
        assert nodes.index(("invocation_started", node)) < nodes.index(("invocation_complete", node))
    assert nodes[-1] == ("invocation_complete", "picture")
    statuses = [e["status"] for n, e in heard["ada"] if n == "queue_item_status_changed"]
    assert statuses == ["in_progress", "completed"]
    final = [e for n, e in heard["ada"] if n == "queue_item_status_changed"][-1]
    assert final["queue_status"]["completed"] == final["batch_status"]["completed"] == 1
    assert all(event["timestamp"] for _, event in heard["ada"])
    assert heard["bob"] == []


@asynccontextmanager
async def _listening(
    api: Any, subject: Subject, heard: list[tuple[str, dict[str, Any]]]
) -> AsyncIterator[None]:
    client = socketio.AsyncClient(reconnection=False)

    async def hear(event: str, payload: dict[str, Any]) -> None:
        heard.append((event, payload))

    client.on("*", hear)
    await client.connect(
        api.url,
        auth={"token": subject.token},
        socketio_path="/ws/socket.io",
        transports=["websocket"],
        wait_timeout=120,
    )
    # Whatever queue a client names, it gets its own: Bob asks for everybody's.
    await client.emit("subscribe_queue", {"queue_id": "default"})
    try:
        yield
    finally:
        await client.disconnect()


@pytest.mark.parametrize("token", [None, "nonsense"])
async def test_sockets_without_a_good_token_are_rejected(live_api: Any, token: str | None) -> None:
    client = socketio.AsyncClient(reconnection=False)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(
            live_api.url,
            auth={"token": token},
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            wait_timeout=120,
        )
    with suppress(Exception):
        await client.disconnect()


async def test_cancel_stops_a_running_job_at_the_next_step(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    ada = await api.person("ada@example.com")
    async with working(settings, MockEngine(30.0)):  # a step would take half a minute
        began = time.monotonic()
        (item,) = await _enqueue(ada)
        await eventually(lambda: _status(ada, item, "in_progress"))
        await ada.put(f"{QUEUE}/i/{item}/cancel")
        ended = await _ended(ada, item)
        longest = time.monotonic() - began
    assert ended["status"] == "canceled"
    with psycopg.connect(database.url()) as connection:
        charged = connection.execute("SELECT sum(credits_consumed) FROM usage_records").fetchone()
    assert charged is not None
    assert 1 <= charged[0] <= longest + 1  # the seconds it ran, of which the last one counts whole
    assert violations(database) == {}


async def _status(subject: Subject, item: int, wanted: str) -> bool:
    return bool((await subject.get(f"{QUEUE}/i/{item}")).json()["status"] == wanted)


class _Engine:
    """An engine of the test's own: real loop, real context, its run is a function."""

    name = "test"

    def __init__(self, run: Any) -> None:
        self.run = run

    def warm_up(self) -> None: ...

    def loaded_models(self) -> list[str]:
        return []


async def test_an_engine_that_breaks_fails_the_job_unpaid_and_the_worker_lives(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    calls = iter([True, False])

    def run(job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        if next(calls):
            raise RuntimeError("secret detail")
        return MockEngine(0.0).run(job, context, cancel)

    ada = await api.person("ada@example.com")
    async with working(settings, _Engine(run)):
        broken = await _ended(ada, (await _enqueue(ada))[0])
        good = await _ended(ada, (await _enqueue(ada))[0])
    assert (broken["status"], good["status"]) == ("failed", "completed")
    assert "secret" not in str(broken)
    assert violations(database) == {}


async def test_a_picture_that_cannot_be_stored_fails_its_job_and_not_the_worker(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    calls = iter([True, False])

    def run(job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        if next(calls):
            context.save_image(
                Image.new("F", (8, 8)), image_name="x.png", node_id="n", session_id=None, image_origin="internal",
                image_category="general", is_intermediate=False, board_id=None, metadata=None, workflow=None,
                graph=None,
            )  # fmt: skip
        return Outcome("completed", "{}")

    ada = await api.person("ada@example.com")
    async with working(settings, _Engine(run)):
        broken = await _ended(ada, (await _enqueue(ada))[0])
        good = await _ended(ada, (await _enqueue(ada))[0])
    assert (broken["status"], good["status"]) == ("failed", "completed")
    assert violations(database) == {}


async def test_a_job_stops_when_its_credits_are_spent(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    ada = await api.person("ada@example.com")
    (item,) = await _enqueue(ada)
    with psycopg.connect(database.owner) as connection:  # all but the reservation is gone
        connection.execute("ALTER TABLE credits DISABLE TRIGGER fixed")
        connection.execute("UPDATE credits SET total_credits = reserved_credits")
        connection.execute("ALTER TABLE credit_transactions DISABLE TRIGGER append_only")
        connection.execute("UPDATE credit_transactions SET amount = (SELECT total_credits FROM credits)")
        connection.execute("ALTER TABLE credit_allocations DISABLE TRIGGER append_only")
        connection.execute("UPDATE credit_allocations SET amount = (SELECT total_credits FROM credits)")
    async with working(settings, MockEngine(30.0)):
        ended = await _ended(ada, item)
    assert (ended["status"], ended["error_type"]) == ("canceled", "InsufficientCredits")
    with psycopg.connect(database.url()) as connection:
        left = connection.execute("SELECT total_credits - used_credits FROM credits").fetchone()
    assert left == (0,)
    assert violations(database) == {}


async def test_a_job_that_takes_too_long_keeps_what_it_had_finished(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    def run(job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        context.save_image(
            Image.new("RGB", (8, 8)), image_name="kept.png", node_id="n", session_id=None, image_origin="internal",
            image_category="general", is_intermediate=False, board_id=None, metadata=None, workflow=None, graph=None,
        )  # fmt: skip
        assert cancel.wait(120)
        return Outcome("canceled", "{}")

    ada = await api.person("ada@example.com")
    # Heartbeats alone would come too late to end it.
    async with working(settings, _Engine(run), job_seconds=1.0, heartbeat_seconds=300.0):
        ended = await _ended(ada, (await _enqueue(ada))[0])
    assert (ended["status"], ended["error_type"]) == ("canceled", "JobTooLong")
    with psycopg.connect(database.url()) as connection:
        kept = connection.execute("SELECT image_name FROM images").fetchall()
        charged = connection.execute("SELECT sum(credits_consumed) FROM usage_records").fetchone()
    assert kept == [("kept.png",)]
    assert charged is not None
    assert charged[0] >= 1
    assert violations(database) == {}


async def test_a_draining_worker_hands_its_job_back_unharmed(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    ada = await api.person("ada@example.com")
    (item,) = await _enqueue(ada)
    async with working(settings, MockEngine(30.0), drain_seconds=0.2):
        await eventually(lambda: _status(ada, item, "in_progress"))
    assert await _status(ada, item, "pending")
    async with working(settings):
        assert (await _ended(ada, item))["status"] == "completed"
    with psycopg.connect(database.url()) as connection:
        attempts = connection.execute("SELECT outcome FROM job_attempts ORDER BY number").fetchall()
    assert attempts == [("returned",), ("completed",)]
    assert violations(database) == {}


async def test_an_unknown_picture_fails_the_job(api: RunningApi, settings: Settings) -> None:
    def run(job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        context.load_image("not-mine.png")
        raise AssertionError("unreachable")

    ada = await api.person("ada@example.com")
    async with working(settings, _Engine(run)):
        ended = await _ended(ada, (await _enqueue(ada))[0])
    assert ended["status"] == "failed"


async def test_a_job_reads_only_its_own_persons_pictures(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    async with working(settings):
        await _ended(ada, (await _enqueue(ada))[0])
    with psycopg.connect(database.url()) as connection:
        row = connection.execute("SELECT image_name FROM images").fetchone()
    assert row is not None
    seen: dict[str, object] = {}

    def run(job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        try:
            seen[job.user_id] = context.load_image(row[0]).size
        except Exception as error:
            seen[job.user_id] = type(error).__name__
        return Outcome("completed", "{}")

    async with working(settings, _Engine(run)):
        for person in (ada, bob):
            await _ended(person, (await _enqueue(person))[0])
    assert seen == {str(ada.user_id): (64, 64), str(bob.user_id): "NotFound"}


async def test_a_job_finds_the_models_on_offer_and_its_own_persons(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    add_model(database, bob.user_id, key="bobs", name="Bob's", path=f"models/users/{bob.user_id}/m")
    seen: dict[str, list[str]] = {}

    def run(job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        assert context.models().search(base="no-such-base") == []
        seen[job.user_id] = [record["name"] for record in context.models().search(base="sd-1", type="main")]
        return Outcome("completed", "{}")

    async with working(settings, _Engine(run)):
        for person in (ada, bob):
            assert (await _ended(person, (await _enqueue(person))[0]))["status"] == "completed"
    assert seen == {str(ada.user_id): ["Starter"], str(bob.user_id): ["Bob's", "Starter"]}


async def test_a_persons_own_model_is_fetched_before_the_meter_runs(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    assert ada.user_id is not None
    key = f"models/users/{ada.user_id}/m/w.safetensors"
    await api.services.objects.put(key, b"weights", "application/octet-stream")
    own = add_model(database, ada.user_id, key="adas-own", path=f"models/users/{ada.user_id}/m/w.safetensors")
    digest = hashlib.sha256(b"weights").hexdigest()
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE models SET files = %s WHERE key = 'adas-own'",
            [Jsonb([{"path": "w.safetensors", "key": key, "size": 7, "sha256": digest}])],
        )
        connection.execute(
            "UPDATE user_subscriptions SET plan_id = (SELECT id FROM subscription_plans WHERE slug = 'enterprise')"
        )
    seen: list[bool] = []

    class Looks(MockEngine):
        def run(self, job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
            place = settings.data_dir / "worker" / "models"
            seen.append(any(file.read_bytes() == b"weights" for file in place.rglob("*.safetensors")))
            path = context.models().local_path(context.models().get("adas-own"))
            seen.append(path.read_bytes() == b"weights")
            return super().run(job, context, cancel)

    refused = await bob.post(f"{QUEUE}/enqueue_batch", json=batch_body(picture_graph(**own)))
    assert refused.status_code == 422
    async with working(settings, Looks(0.01), worker_tiers="dedicated"):
        (item,) = await _enqueue(ada, graph=picture_graph(**own))
        assert (await _ended(ada, item))["status"] == "completed"
        assert seen == [True, True]
        # Another tenant's job cannot reach it, not even by its key.
        (item,) = await _enqueue(bob)
        ended = await _ended(bob, item)
    assert (ended["status"], ended["error_type"]) == ("failed", "not_found")
