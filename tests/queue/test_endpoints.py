"""Enqueueing over HTTP: what is accepted, what is refused, and whose jobs one sees."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from invokeai_saas.settings import Settings
from tests.apps import RunningApi, Subject, running_api
from tests.factories import insert, make_person
from tests.graphs import add_model, batch_body, picture_graph, seeds, unknown_key
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


def _nothing_happened(database: TestDatabase) -> bool:
    with psycopg.connect(database.url()) as connection:
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM session_queue), (SELECT count(*) FROM job_batches),"
            " (SELECT count(*) FROM credit_reservations), (SELECT coalesce(sum(reserved_credits), 0) FROM credits)"
        ).fetchone()
    return counts == (0, 0, 0, 0)


async def test_a_batch_is_expanded_reserved_and_queued(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    body = await _enqueue(ada, data=seeds(1, 2, 3), runs=2, origin="generate", destination="generate")
    assert (body["enqueued"], body["requested"], len(set(body["item_ids"]))) == (6, 6, 6)
    with psycopg.connect(database.url()) as connection:
        seeds_queued = connection.execute(
            "SELECT field_values -> 0 ->> 'value' FROM session_queue ORDER BY position"
        ).fetchall()
    assert [row[0] for row in seeds_queued] == ["1", "2", "3", "1", "2", "3"]
    status = (await ada.get(f"{QUEUE}/status")).json()
    assert (status["queue"]["pending"], status["queue"]["user_pending"]) == (6, 6)
    assert status["processor"]["is_started"] is True
    counts = (await ada.get(f"{QUEUE}/counts_by_destination", params={"destination": "generate"})).json()
    assert (counts["pending"], counts["total"]) == (6, 6)
    assert violations(database) == {}


async def test_an_item_carries_its_own_graph(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    body = await _enqueue(ada, data=seeds(7))
    item = (await ada.get(f"{QUEUE}/i/{body['item_ids'][0]}")).json()
    assert item["status"] == "pending"
    assert item["session"]["graph"]["nodes"]["noise"]["seed"] == 7
    assert item["user_id"] == str(ada.user_id)


def _broken(change: str) -> dict[str, Any]:
    """A batch with one thing wrong."""
    graph = picture_graph()
    nodes, edges = graph["nodes"], graph["edges"]
    body = batch_body(graph)
    match change:
        case "unknown node":
            nodes["noise"]["type"] = "no_such_node"
        case "a million values":
            for n in range(30):
                nodes[f"n{n}"] = {"id": f"n{n}", "type": "integer_collection", "collection": [0] * 9_000}
        case "much, many times":
            for n in range(3):
                nodes[f"n{n}"] = {"id": f"n{n}", "type": "integer_collection", "collection": [0] * 9_000}
            body["batch"]["runs"] = 400
        case "cycle":
            nodes["a"] = {"id": "a", "type": "add"}
            nodes["b"] = {"id": "b", "type": "add"}
            for one, other in (("a", "b"), ("b", "a")):
                edges.append(_edge(one, "value", other, "a"))
        case "wrong field type":
            nodes["denoise"]["steps"] = "many"
        case "out of range":
            nodes["noise"]["width"] = 7
        case "unknown model":
            nodes["model"]["model"]["key"] = unknown_key()
        case "megabyte prompt":
            nodes["positive"]["prompt"] = "x" * 1_000_000
        case "megabyte in the batch":
            body["batch"]["data"] = [
                [{"node_path": "positive", "field_name": "prompt", "items": ["x" * 1_000_000]}]
            ]
        case "too many items":
            body["batch"]["runs"] = 10_000
        case "endless product":
            body["batch"]["data"] = seeds(*range(500)) * 1
            body["batch"]["runs"] = 10**6
        case "wrong value type":
            body["batch"]["data"] = [[{"node_path": "noise", "field_name": "seed", "items": ["seven"]}]]
        case "value for no node":
            body["batch"]["data"] = [[{"node_path": "nope", "field_name": "seed", "items": [1]}]]
        case "unequal zip":
            body["batch"]["data"] = [
                [*seeds(1, 2)[0], {"node_path": "denoise", "field_name": "steps", "items": [3]}]
            ]
        case "edge from nowhere":
            edges.append(_edge("nope", "value", "noise", "seed"))
        case "types differ":
            edges[0] = _edge("noise", "noise", "denoise", "unet")
        case "two edges into one input":
            nodes["noise2"] = {**nodes["noise"], "id": "noise2"}
            edges.append(_edge("noise2", "noise", "denoise", "noise"))
        case "missing input":
            del edges[0]
        case "no nodes":
            graph["nodes"], graph["edges"] = {}, []
        case "id mismatch":
            nodes["noise"]["id"] = "other"
        case "no runs":
            body["batch"]["runs"] = 0
        case "NUL in a prompt":
            nodes["positive"]["prompt"] = "a\0b"
        case "half a character":
            nodes["positive"]["prompt"] = "a\ud800b"
        case "deep workflow":
            deep: Any = {}
            for _ in range(200):
                deep = {"a": deep}
            body["batch"]["workflow"] = deep
        case "endless number in the workflow":
            body["batch"]["workflow"] = {"a": 2**70}
        case "values without end":
            prompts = ["x" * 20_000] * 400
            body["batch"]["data"] = [
                [{"node_path": "positive", "field_name": "prompt", "items": prompts[:20]}],
                [{"node_path": "negative", "field_name": "prompt", "items": prompts[:20]}],
            ]
            body["batch"]["runs"] = 1
            body["batch"]["graph"]["nodes"]["extra"] = {"id": "extra", "type": "string"}
            body["batch"]["data"].append(
                [{"node_path": "extra", "field_name": "value", "items": prompts[:1]}]
            )
        case "NUL in the graph id":
            graph["id"] = "a\0b"
        case "endless node id":
            nodes["n" * 300] = {"id": "n" * 300, "type": "add"}
        case "NUL in the workflow":
            body["batch"]["workflow"] = {"name": "a\0b"}
    return body


def _edge(source: str, output: str, target: str, field: str) -> dict[str, Any]:
    return {
        "source": {"node_id": source, "field": output},
        "destination": {"node_id": target, "field": field},
    }


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ("unknown node", "unknown_node", "noise"),
        ("cycle", "cyclic_graph", "graph"),
        ("a million values", "graph_too_large", "nodes"),
        ("much, many times", "too_many_items", "data"),
        ("wrong field type", "invalid_input", "steps"),
        ("out of range", "invalid_input", "width"),
        ("unknown model", "model_not_found", "model"),
        ("megabyte prompt", "invalid_input", "prompt"),
        ("megabyte in the batch", "invalid_input", "prompt"),
        ("too many items", "too_many_items", "data"),
        ("endless product", "too_many_items", "data"),
        ("wrong value type", "invalid_input", "seed"),
        ("value for no node", "invalid_input", "data"),
        ("unequal zip", "invalid_input", "data"),
        ("edge from nowhere", "invalid_input", "graph"),
        ("types differ", "invalid_input", "graph"),
        ("two edges into one input", "invalid_input", "graph"),
        ("missing input", "invalid_input", "unet"),
        ("no nodes", "invalid_input", "nodes"),
        ("id mismatch", "invalid_input", "noise"),
        ("no runs", "invalid_input", "runs"),
        ("NUL in a prompt", "invalid_input", "prompt"),
        ("half a character", "invalid_input", "prompt"),
        ("deep workflow", "invalid_input", "workflow"),
        ("endless number in the workflow", "invalid_input", "workflow"),
        ("values without end", "too_many_items", "data"),
        ("NUL in the graph id", "invalid_input", "graph"),
        ("endless node id", "invalid_input", "n" * 255),
        ("NUL in the workflow", "invalid_input", "workflow"),
    ],
)
async def test_bad_batches_are_refused_by_field_and_leave_nothing(
    api: RunningApi, database: TestDatabase, change: str, code: str, field: str
) -> None:
    ada = await api.person("ada@example.com")
    content = json.dumps(_broken(change))  # with escapes: httpx itself refuses half characters
    answer = await ada.post(
        f"{QUEUE}/enqueue_batch", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert body["code"] == code
    assert body["detail"][0]["loc"][-1] == field
    assert all(isinstance(part, str) for part in body["detail"][0]["loc"])
    assert len(answer.content) < 5_000
    assert _nothing_happened(database)


async def test_a_denied_node_is_refused(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    graph = {
        "id": "g",
        "nodes": {"n": {"id": "n", "type": "prompt_from_file", "file_path": "x"}},
        "edges": [],
    }
    answer = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(graph))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_in_plan")
    assert _nothing_happened(database)


async def test_not_enough_credits_says_how_many(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    answer = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(runs=400))
    assert answer.status_code == 402
    body = answer.json()
    assert body["code"] == "insufficient_credits"
    assert (body["needed"] > 500, body["available"]) == (True, 500)
    assert _nothing_happened(database)


async def test_without_a_live_plan_generation_is_refused(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE user_subscriptions SET status = 'expired'")
    answer = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body())
    assert (answer.status_code, answer.json()["code"]) == (403, "not_in_plan")
    assert _nothing_happened(database)


async def test_expired_tokens_and_nobody_queue_nothing(api: RunningApi, database: TestDatabase) -> None:
    answer = await api.nobody().post(f"{QUEUE}/enqueue_batch", json=batch_body())
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert _nothing_happened(database)


async def test_another_persons_model_does_not_exist(api: RunningApi, database: TestDatabase) -> None:
    bob = make_person(database, "bob@example.com")
    theirs = add_model(database, bob, key=unknown_key(), path=f"models/users/{bob}/m")
    ada = await api.person("ada@example.com")
    answer = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(picture_graph(**theirs)))
    assert answer.json()["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("base", "plan", "allowed"), [("flux", "trial", False), ("flux", "pro", True), ("sdxl", "trial", True)]
)
async def test_models_that_the_plan_does_not_include_are_refused(
    api: RunningApi, database: TestDatabase, base: str, plan: str, allowed: bool
) -> None:
    model = add_model(database, key=unknown_key(), base=base, path="models/shared/other")
    ada = await api.person("ada@example.com")
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE user_subscriptions SET plan_id = (SELECT id FROM subscription_plans WHERE slug = %s)",
            [plan],
        )
    answer = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(picture_graph(**model)))
    if allowed:
        assert answer.status_code == 200, answer.text
        return
    assert (answer.status_code, answer.json()["code"]) == (403, "not_in_plan")
    assert answer.json()["plans"] == ["pro", "studio", "enterprise"]
    assert _nothing_happened(database)


async def test_a_job_is_not_retried_without_its_model(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    item = (await _enqueue(ada))["item_ids"][0]
    await ada.put(f"{QUEUE}/i/{item}/cancel")
    with psycopg.connect(database.owner) as connection:
        connection.execute("DELETE FROM models")
    answer = await ada.put(f"{QUEUE}/retry_items_by_id", json=[item])
    assert (answer.status_code, answer.json()["code"]) == (422, "model_not_found")


async def test_another_persons_jobs_do_not_exist(api: RunningApi) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    body = await _enqueue(ada, destination="canvas")
    item, batch = body["item_ids"][0], body["batch"]["batch_id"]
    for method, path in [("GET", f"/i/{item}"), ("PUT", f"/i/{item}/cancel"), ("DELETE", f"/i/{item}")]:
        answer = await bob.request(method, QUEUE + path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        never = await bob.request(method, QUEUE + path.replace(str(item), "12345"))
        assert never.json() == answer.json()
    empty = {"item_ids": [item]}
    assert (await bob.post(f"{QUEUE}/items_by_ids", json=empty)).json() == []
    assert (await bob.post(f"{QUEUE}/item_summaries_by_ids", json=empty)).json() == []
    assert (await bob.get(f"{QUEUE}/b/{batch}/status")).json()["total"] == 0
    assert (await bob.get(f"{QUEUE}/item_ids")).json() == {"item_ids": [], "total_count": 0}
    assert (await bob.get(f"{QUEUE}/list_all")).json() == []
    assert (await bob.get(f"{QUEUE}/next")).json() is None
    for path in ("clear", "prune", "cancel_all_except_current", "delete_all_except_current"):
        assert set((await bob.put(f"{QUEUE}/{path}")).json().values()) == {0}
    assert (await bob.put(f"{QUEUE}/cancel_by_batch_ids", json={"batch_ids": [batch]})).json() == {
        "canceled": 0
    }
    assert (await bob.put(f"{QUEUE}/retry_items_by_id", json=[item])).json()["retried_item_ids"] == []
    assert (await ada.get(f"{QUEUE}/i/{item}")).json()["status"] == "pending"


async def test_batch_ids_are_a_persons_own(api: RunningApi, database: TestDatabase) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    batch = (await _enqueue(ada))["batch"]["batch_id"]
    assert (await _enqueue(bob, batch_id=batch))["batch"]["batch_id"] == batch
    again = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(batch_id=batch))
    assert (again.status_code, again.json()["code"]) == (422, "batch_exists")
    assert (await ada.get(f"{QUEUE}/b/{batch}/status")).json()["total"] == 1
    assert violations(database) == {}


async def test_cancel_clear_retry_and_prune(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    body = await _enqueue(ada, data=seeds(1, 2, 3), destination="canvas")
    first = body["item_ids"][-1]
    assert (await ada.put(f"{QUEUE}/i/{first}/cancel")).json()["status"] == "canceled"
    cancelled = await ada.put(f"{QUEUE}/cancel_by_destination", params={"destination": "canvas"})
    assert cancelled.json() == {"canceled": 2}
    assert violations(database) == {}
    retried = (await ada.put(f"{QUEUE}/retry_items_by_id", json=[first])).json()["retried_item_ids"]
    assert retried == [first]
    newest = (await ada.get(f"{QUEUE}/next")).json()
    assert newest["retried_from_item_id"] == first
    assert (await ada.put(f"{QUEUE}/prune")).json() == {"deleted": 3}
    assert (await ada.put(f"{QUEUE}/clear")).json() == {"deleted": 1}
    assert (await ada.get(f"{QUEUE}/item_ids")).json()["item_ids"] == []
    assert violations(database) == {}


async def test_what_has_ended_stays_when_the_waiting_are_deleted(api: RunningApi) -> None:
    """ "Clear all except current" in the page clears what waits, not the list of what was made."""
    ada = await api.person("ada@example.com")
    ended, waiting = (await _enqueue(ada, data=seeds(1, 2)))["item_ids"]
    assert (await ada.put(f"{QUEUE}/i/{ended}/cancel")).status_code == 200
    assert (await ada.put(f"{QUEUE}/delete_all_except_current")).json() == {"deleted": 1}
    assert (await ada.get(f"{QUEUE}/item_ids")).json()["item_ids"] == [ended]
    assert (await ada.get(f"{QUEUE}/i/{waiting}")).status_code == 404


async def test_lists_and_counts_have_invokeais_fields_alone(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    body = await _enqueue(ada, destination="canvas")
    (short,) = (await ada.post(f"{QUEUE}/item_summaries_by_ids", json={"item_ids": body["item_ids"]})).json()
    assert {"item_id", "status", "field_values", "device"} <= short.keys()
    assert not {"session", "workflow", "error_message", "session_id"} & short.keys()
    counts = (await ada.get(f"{QUEUE}/counts_by_destination", params={"destination": "canvas"})).json()
    assert "batch_id" not in counts
    item = (await ada.get(f"{QUEUE}/i/{body['item_ids'][0]}")).json()
    assert item["session"]["workflow_call_stack"] == []
    assert None not in (item["session"].values())


@pytest.mark.parametrize("field", ["steps", "width", "height"])
async def test_absurd_figures_are_no_server_error(api: RunningApi, field: str) -> None:
    ada = await api.person("ada@example.com")
    graph = picture_graph()
    graph["nodes"]["denoise" if field == "steps" else "noise"][field] = 10**12
    answer = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(graph))
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("item", [-1, 2**63, 10**30])
async def test_ids_out_of_range_are_refused(api: RunningApi, item: int) -> None:
    ada = await api.person("ada@example.com")
    for path in ("items_by_ids", "item_summaries_by_ids"):
        assert (await ada.post(f"{QUEUE}/{path}", json={"item_ids": [item]})).status_code == 422
    assert (await ada.put(f"{QUEUE}/retry_items_by_id", json=[item])).status_code == 422
    assert (await ada.get(f"{QUEUE}/i/{item}")).status_code == 422
    for path in ("counts_by_destination", "list_all"):
        assert (await ada.get(f"{QUEUE}/{path}", params={"destination": "a\0b"})).status_code == 422


async def test_a_million_runs_of_nothing_take_no_time(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    body = await _enqueue(ada, data=[[]], runs=1_000_000)
    assert (body["enqueued"], body["item_ids"]) == (0, [])


async def test_enqueues_are_limited_per_minute(settings: Settings, database: TestDatabase) -> None:
    limited = settings.model_copy(update={"enqueues_per_minute": 2})
    async with running_api(limited) as api:
        ada = await api.person("ada@example.com")
        answers = [await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body()) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) > 0


async def test_without_room_for_pictures_nothing_is_queued(api: RunningApi, database: TestDatabase) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    body = await _enqueue(ada)
    limit = 20 * 2**30  # of the trial
    state = (
        "INSERT INTO gallery_state (user_id, bytes) VALUES (%s, %s)"
        " ON CONFLICT (user_id) DO UPDATE SET bytes = excluded.bytes"
    )
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(state, [ada.user_id, limit - 1])
        await _enqueue(ada)
        connection.execute(state, [ada.user_id, limit])
    refused = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body())
    expected = {"code": "storage_quota_exceeded", "used": limit, "limit": limit}
    assert refused.status_code == 507
    assert {key: refused.json()[key] for key in expected} == expected
    await ada.put(f"{QUEUE}/i/{body['item_ids'][0]}/cancel")
    retried = await ada.put(f"{QUEUE}/retry_items_by_id", json=body["item_ids"])
    assert retried.status_code == 507
    assert (await ada.get(f"{QUEUE}/status")).json()["queue"]["total"] == 2
    # Models of one's own take of the same room.
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(state, [ada.user_id, limit - 10])
        insert(
            connection, "models", user_id=ada.user_id, key="mine", name="m", base="sd-1", type="lora",
            format="lycoris", path=f"models/users/{ada.user_id}/m", hash="h", file_size=10, record={"a": 1},
        )  # fmt: skip
    refused = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body())
    assert (refused.status_code, refused.json()["used"]) == (507, limit)
    await _enqueue(bob)
    assert violations(database) == {}


async def test_all_except_the_current_are_those_that_wait(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    ended = (await _enqueue(ada))["item_ids"]
    await ada.put(f"{QUEUE}/i/{ended[0]}/cancel")
    await _enqueue(ada, data=seeds(1, 2))
    assert (await ada.put(f"{QUEUE}/delete_all_except_current")).json() == {"deleted": 2}
    assert (await ada.get(f"{QUEUE}/item_ids")).json()["item_ids"] == ended
