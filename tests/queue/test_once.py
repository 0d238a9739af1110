"""Enqueueing with an Idempotency-Key: once, whatever is said how often by how many at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import psycopg
import pytest

from tests.apps import RunningApi, Subject
from tests.graphs import add_model, batch_body
from tests.money import violations
from tests.servers import TestDatabase

PATH = "/api/v1/queue/default/enqueue_batch"


def _count(database: TestDatabase, table: str) -> int:
    with psycopg.connect(database.url()) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


async def _say(person: Subject, body: dict[str, Any], key: str = "one") -> httpx.Response:
    return await person.post(PATH, json=body, headers={"Idempotency-Key": key})


async def test_a_hundred_equal_enqueues_at_once_make_one_job(api: RunningApi, database: TestDatabase) -> None:
    add_model(database)
    ada = await api.person("ada@example.com")
    body = batch_body()
    answers = await asyncio.gather(*(_say(ada, body) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert Counter(answer.headers.get("idempotency-replayed") for answer in answers) == {None: 1, "true": 99}
    assert answers[0].json()["item_ids"]
    for table in ("session_queue", "job_batches", "credit_reservations"):
        assert _count(database, table) == 1, table
    assert violations(database) == {}


async def test_the_answer_is_the_one_without_a_key(api: RunningApi, database: TestDatabase) -> None:
    add_model(database)
    ada = await api.person("ada@example.com")
    body = batch_body(runs=2, destination="canvas")
    plain, keyed = (await ada.post(PATH, json=body)).json(), (await _say(ada, body)).json()
    for answer in (plain, keyed):
        assert len(answer.pop("item_ids")) == 2
        answer["batch"].pop("batch_id")
    assert plain == keyed


async def test_the_same_key_with_another_body_is_refused(api: RunningApi, database: TestDatabase) -> None:
    add_model(database)
    ada = await api.person("ada@example.com")
    assert (await _say(ada, batch_body())).status_code == 200
    answer = await _say(ada, batch_body(runs=2))
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    both = await asyncio.gather(_say(ada, batch_body(runs=3), "two"), _say(ada, batch_body(runs=4), "two"))
    assert sorted(answer.status_code for answer in both) == [200, 409]
    assert violations(database) == {}


async def test_a_key_is_a_persons_own(api: RunningApi, database: TestDatabase) -> None:
    add_model(database)
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    first, second = await _say(ada, batch_body()), await _say(bob, batch_body())
    assert first.json()["item_ids"] != second.json()["item_ids"]
    assert (await _say(bob, batch_body(runs=2))).status_code == 409
    assert _count(database, "session_queue") == 2


async def test_what_was_refused_may_be_said_again(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    assert (await _say(ada, batch_body())).status_code == 422  # no such model yet
    add_model(database)
    too_much = await _say(ada, batch_body(runs=400), "two")
    assert too_much.status_code == 402
    assert (await _say(ada, batch_body(runs=1), "two")).status_code == 200
    assert (await _say(ada, batch_body())).status_code == 200
    assert _count(database, "session_queue") == 2


async def test_a_key_holds_for_a_day(api: RunningApi, database: TestDatabase) -> None:
    add_model(database)
    ada = await api.person("ada@example.com")
    first = await _say(ada, batch_body())
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE enqueue_keys SET created_at = now() - interval '25 hours'")
    body = batch_body(runs=2)
    second = await _say(ada, body)
    assert second.status_code == 200
    assert set(second.json()["item_ids"]).isdisjoint(first.json()["item_ids"])
    assert (await _say(ada, body)).content == second.content
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE enqueue_keys SET created_at = now() - interval '25 hours'")
        connection.execute("SELECT queue_forget_keys()")
    assert _count(database, "enqueue_keys") == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9", "a\tb"])
async def test_what_is_no_key_is_refused(api: RunningApi, database: TestDatabase, key: str) -> None:
    add_model(database)
    ada = await api.person("ada@example.com")
    answer = await ada.post(PATH, json=batch_body(), headers={"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["detail"][0]["loc"][-1]) == (422, "idempotency-key")
    assert _count(database, "session_queue") == 0
