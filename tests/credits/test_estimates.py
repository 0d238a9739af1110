"""Estimates: the prior, what is learnt, and what a person is told before they queue."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from invokeai_saas.credits import estimates
from invokeai_saas.credits.estimate import (
    PRIOR_WEIGHT,
    Estimates,
    Learnt,
    Needed,
    Work,
    job_class,
    prior_seconds,
)
from invokeai_saas.db import roles
from invokeai_saas.queue.claims import Claims
from tests.apps import RunningApi
from tests.factories import insert, make_person
from tests.graphs import add_model, batch_body, picture_graph
from tests.money import violations
from tests.queue.test_claims import queue_jobs
from tests.servers import TestDatabase

WORK = Work("sdxl", "A model", 30, 1024, 1024)
ESTIMATE = "/api/v1/credits/estimate"
ENQUEUE = "/api/v1/queue/default/enqueue_batch"


def _record(database: TestDatabase, person: UUID, seconds: float, job: str, **changes: Any) -> None:
    facts = {
        "user_id": person, "job_id": job, "action_type": "generate", "model_used": "m", "model_base": "sdxl",
        "gpu_tier": "basic", "steps": 30, "width": 1024, "height": 1024, "batch_size": 1, "outcome": "completed",
        "compute_seconds": Decimal(seconds), "credits_consumed": 1,
    }  # fmt: skip
    with psycopg.connect(database.owner) as connection:
        insert(connection, "usage_records", **(facts | changes))


def _learn(database: TestDatabase) -> dict[tuple[str, str], tuple[int, float, float, float]]:
    """What the scheduler's role learns, by base and tier."""
    claims = Claims(database.url(roles.WORKER))
    try:
        claims.learn_estimates(30, 1000)
    finally:
        claims.close()
    with psycopg.connect(database.url(roles.API)) as connection:
        found = connection.execute(
            "SELECT model_base, gpu_tier, samples, low_seconds, likely_seconds, high_seconds FROM credit_estimates"
        ).fetchall()
    return {(base, tier): (n, *map(float, seconds)) for base, tier, n, *seconds in found}


def test_classes_are_the_same_in_both_languages(database: TestDatabase) -> None:
    sizes = [
        (0, 0),
        (64, 64),
        (512, 512),
        (513, 511),
        (768, 768),
        (832, 1216),
        (1024, 1024),
        (100_000, 100_000),
    ]
    steps = [*range(-1, 260), 1000, 99_999, 100_000]
    with psycopg.connect(database.owner) as connection:
        for width, height in sizes:
            row = connection.execute("SELECT _estimate_size(%s, %s)", [width, height]).fetchone()
            assert row == (job_class(Work("", "", 0, width, height), "").size,), (width, height)
        for number in steps:
            row = connection.execute("SELECT _estimate_steps(%s)", [number]).fetchone()
            assert row == (job_class(Work("", "", number, 0, 0), "").steps,), number


def test_without_samples_the_prior_stands() -> None:
    seconds = prior_seconds(WORK)
    assert 40 < seconds < 43  # 30 steps of 0.32 s at four times 512 x 512, decode and overhead
    needed = Estimates({}, {}).needed(WORK, "basic")
    assert needed == Needed(32, 42, 63)
    assert Estimates({}, {}).needed(Work("", "", 0, 0, 0), "basic") == Needed(1, 1, 2)


def test_few_samples_lean_on_the_prior_and_many_do_not() -> None:
    known = {
        n: Estimates({job_class(WORK, "basic"): Learnt(n, 8, 10, 12)}, {}) for n in (1, PRIOR_WEIGHT, 10_000)
    }
    likely = {n: estimates.needed(WORK, "basic").likely for n, estimates in known.items()}
    assert likely == {1: 39, PRIOR_WEIGHT: 26, 10_000: 11}
    assert known[1].needed(WORK, "dedicated") == Estimates({}, {}).needed(WORK, "dedicated")


def test_a_tiers_rate_multiplies() -> None:
    estimates = Estimates({job_class(WORK, "fast"): Learnt(10**6, 8, 10, 12)}, {"fast": 2.5})
    assert estimates.needed(WORK, "fast") == Needed(21, 26, 31)


def test_percentiles_are_learnt_by_class(database: TestDatabase) -> None:
    ada, bob = make_person(database), make_person(database)
    for number in range(1, 12):
        _record(database, ada, number * 10, f"a{number}")
    _record(database, bob, 7, "b", gpu_tier="high_performance")
    _record(database, bob, 1, "canceled", outcome="canceled")  # it did not run to its end
    _record(database, bob, 1, "long ago", created_at="2020-01-01")
    _record(database, bob, 1, "from before", outcome="unknown")
    assert _learn(database) == {
        ("sdxl", "basic"): (11, 35.0, 60.0, 100.0),
        ("sdxl", "high_performance"): (1, 7.0, 7.0, 7.0),
    }


def test_one_person_does_not_decide_for_everybody(database: TestDatabase) -> None:
    ada, bob = make_person(database), make_person(database)
    for number in range(60):
        _record(database, ada, 1000, f"a{number}")
        _record(database, bob, 10, f"b{number}") if number < 50 else None
    assert _learn(database)[("sdxl", "basic")] == (100, 10.0, 505.0, 1000.0)


def test_a_settled_job_tells_its_models_base_and_end(database: TestDatabase) -> None:
    model = add_model(database, base="sdxl")
    ada = make_person(database)
    queue_jobs(database, ada, 2, models=[model["key"]])
    claims = Claims(database.url(roles.WORKER))
    try:
        for outcome in ("completed", "canceled"):
            found = claims.claim("basic", "w", [], 60, 0, 3600)
            assert found is not None
            claims.finish(found.attempt_id, outcome, 1.5, None)
    finally:
        claims.close()
    with psycopg.connect(database.url()) as connection:
        rows = connection.execute("SELECT model_base, outcome FROM usage_records ORDER BY outcome").fetchall()
    assert rows == [("sdxl", "canceled"), ("sdxl", "completed")]


@pytest.mark.parametrize(("rate", "charged"), [("2.5", 6), ("0.4", 1)])
def test_a_tiers_rate_is_charged(database: TestDatabase, rate: str, charged: int) -> None:
    """max(1, ceil(seconds x rate)) of 2.2 seconds; the reservation grows by the rate as well."""
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE gpu_tiers SET credits_per_second = %s WHERE tier = 'basic'", [rate])
    queue_jobs(database, make_person(database), estimate=2)
    claims = Claims(database.url(roles.WORKER))
    try:
        found = claims.claim("basic", "w", [], 60, 0, 3600)
        assert found is not None
        assert claims.heartbeat(found.attempt_id, 60, 4, 0) == "ok"
        with psycopg.connect(database.url()) as connection:
            held = connection.execute("SELECT amount FROM credit_reservations").fetchone()
        assert held == (max(2, int(4 * float(rate))),)
        assert claims.finish(found.attempt_id, "completed", 2.2, None).charged == charged
    finally:
        claims.close()
    with psycopg.connect(database.url()) as connection:  # the lane is charged as the person is
        lane = connection.execute("SELECT virtual_time FROM queue_lanes").fetchone()
    assert lane == (charged,)
    assert violations(database) == {}


async def test_the_estimate_says_what_an_enqueue_reserves(api: RunningApi, database: TestDatabase) -> None:
    add_model(database)
    ada = await api.person("ada@example.com")
    body = batch_body(runs=3)
    told = (await ada.post(ESTIMATE, json=body)).json()
    assert (told["tier"], told["jobs"], told["available"], told["missing"]) == ("basic", 3, 500, 0)
    (each,) = told["per_job"]
    assert (each["jobs"], each["learnt_from"]) == (3, 0)
    assert each["low"] <= each["likely"] <= each["high"]
    assert told["needed"] == told["total"]["high"] == 3 * each["high"]
    assert (await ada.get("/api/v1/credits/balance")).json()["reserved"] == 0
    assert (await ada.post(ENQUEUE, json=body)).status_code == 200
    assert (await ada.get("/api/v1/credits/balance")).json()["reserved"] == told["needed"]
    assert (await ada.post(ESTIMATE, json=body)).json()["available"] == 500 - told["needed"]


async def test_what_is_missing_is_data(api: RunningApi, database: TestDatabase) -> None:
    add_model(database)
    ada = await api.person("ada@example.com")
    body = batch_body(runs=400)
    answer = await ada.post(ESTIMATE, json=body)
    told, refused = answer.json(), (await ada.post(ENQUEUE, json=body)).json()
    assert answer.status_code == 200
    assert told["missing"] == told["needed"] - 500 > 0
    assert (refused["code"], refused["needed"], refused["available"]) == (
        "insufficient_credits",
        told["needed"],
        500,
    )


async def test_jobs_that_differ_are_told_apart(api: RunningApi, database: TestDatabase) -> None:
    add_model(database)
    ada = await api.person("ada@example.com")
    data = [[{"node_path": "noise", "field_name": "width", "items": [64, 64, 1024]}]]
    told = (await ada.post(ESTIMATE, json=batch_body(data=data))).json()
    assert [each["jobs"] for each in told["per_job"]] == [2, 1]
    assert told["per_job"][0]["high"] <= told["per_job"][1]["high"]


async def test_what_was_learnt_is_used(
    api: RunningApi, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates, "REFRESH_SECONDS", 0.0)
    add_model(database)
    ada = await api.person("ada@example.com")
    assert ada.user_id is not None
    before = (await ada.post(ESTIMATE, json=batch_body())).json()
    claims = Claims(database.url(roles.WORKER))
    try:
        for _ in range(5):
            assert (await ada.post(ENQUEUE, json=batch_body())).status_code == 200
            found = claims.claim("basic", "w", [], 60, 0, 3600)
            assert found is not None
            claims.finish(found.attempt_id, "completed", 40, None)
        claims.learn_estimates(30, 1000)
    finally:
        claims.close()
    after = (await ada.post(ESTIMATE, json=batch_body())).json()
    assert after["per_job"][0]["learnt_from"] == 5
    assert before["needed"] < 10 < after["needed"] < 40
    (item,) = (await ada.post(ENQUEUE, json=batch_body())).json()["item_ids"]
    with psycopg.connect(database.url()) as connection:
        row = connection.execute("SELECT estimate FROM session_queue WHERE item_id = %s", [item]).fetchone()
    assert row == (after["needed"],)


async def test_a_plan_of_another_tier_is_estimated_for_it(api: RunningApi, database: TestDatabase) -> None:
    add_model(database)
    ada = await api.person("ada@example.com")
    assert (await ada.post(ENQUEUE, json=batch_body())).status_code == 200
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE gpu_tiers SET credits_per_second = 3 WHERE tier = 'high_performance'")
        connection.execute(
            "UPDATE user_subscriptions SET plan_id = (SELECT id FROM subscription_plans WHERE slug = 'pro')"
        )
    api.services.estimates._due = 0.0
    told = (await ada.post(ESTIMATE, json=batch_body())).json()
    assert told["tier"] == "high_performance"
    (item,) = (await ada.post(ENQUEUE, json=batch_body())).json()["item_ids"]
    with psycopg.connect(database.url()) as connection:
        row = connection.execute(
            "SELECT estimate, tier FROM session_queue WHERE item_id = %s", [item]
        ).fetchone()
    assert row == (told["needed"], "high_performance")
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE user_subscriptions SET status = 'expired'")
    assert (await ada.post(ESTIMATE, json=batch_body())).json()["tier"] is None


async def test_bad_batches_and_nobody_get_no_estimate(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    unknown = await ada.post(ESTIMATE, json=batch_body(picture_graph()))
    assert (unknown.status_code, unknown.json()["code"]) == (422, "model_not_found")
    assert (await ada.post(ESTIMATE, json={"batch": {"graph": {}}})).status_code == 422
    assert (await api.nobody().post(ESTIMATE, json=batch_body())).status_code == 401
