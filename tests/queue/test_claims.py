"""The queue's core in PostgreSQL: fairness, lanes, leases, fences, and the money that goes with them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.queue.claims import Claim, Claims
from tests.factories import make_person
from tests.money import violations
from tests.servers import TestDatabase

LEASE = 60.0
DEADLINE = 3600.0


@pytest.fixture
def claims(database: TestDatabase) -> Iterator[Claims]:
    connection = Claims(database.url(roles.WORKER))
    yield connection
    connection.close()


_ids = iter(range(1, 1_000_000))


def queue_jobs(
    database: TestDatabase, user_id: UUID, count: int = 1, *, estimate: int = 5, models: list[str] | None = None,
    prepend: bool = False, max_pending: int = 1000,
) -> list[int]:  # fmt: skip
    """Queues jobs as the API does; answers their ids in order."""
    jobs = [
        {
            "item_id": next(_ids), "session_id": str(uuid4()), "estimate": estimate, "model_keys": models or [],
            "model_name": "m", "steps": 1, "width": 8, "height": 8, "field_values": [], "retried_from": None,
        }
        for _ in range(count)
    ]  # fmt: skip
    with psycopg.connect(database.url(roles.API)) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(user_id)])
        connection.execute(
            "SELECT * FROM queue_enqueue(%s, '{\"nodes\": {}}', NULL, NULL, NULL, %s, %s, %s)",
            [uuid4(), prepend, json.dumps(jobs), max_pending],
        )
    return [int(str(job["item_id"])) for job in jobs]


def claim(
    claims: Claims, loaded: list[str] | None = None, affinity: float = 0.0, lease: float = LEASE
) -> Claim:
    found = claims.claim("basic", "w", loaded or [], lease, affinity, DEADLINE)
    assert found is not None
    return found


def image(**changes: object) -> dict[str, object]:
    """A picture's row as a worker hands it in."""
    plain = {"image_name": "x.png", "image_origin": "internal", "image_category": "general", "width": 1, "height": 1,
             "is_intermediate": False, "s3_key": "k", "s3_thumbnail_key": "t", "file_size_bytes": 1}  # fmt: skip
    return {**plain, **changes}


def set_lanes(database: TestDatabase, user_id: UUID, lanes: int | None) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE queue_lanes SET max_running = %s WHERE user_id = %s", [lanes, user_id])


def expire_leases(database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE job_attempts SET lease_until = now() - interval '1 second'")


def one(database: TestDatabase, query: str) -> object:
    with psycopg.connect(database.url()) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def test_a_job_is_claimed_once_and_settled_by_measured_seconds(
    database: TestDatabase, claims: Claims
) -> None:
    ada = make_person(database)
    (item,) = queue_jobs(database, ada, estimate=10)
    assert one(database, "SELECT reserved_credits FROM credits") == 10
    found = claim(claims)
    assert (found.item_id, found.user_id, found.attempt_number) == (item, ada, 1)
    assert claims.claim("basic", "w", [], LEASE, 0, DEADLINE) is None
    finished = claims.finish(found.attempt_id, "completed", 2.2, {"results": {}})
    assert (finished.accepted, finished.charged) == (True, 3)
    assert one(database, "SELECT (used_credits, reserved_credits)::text FROM credits") == "(3,0)"
    assert one(database, "SELECT compute_seconds::text FROM usage_records") == "2.200"
    assert violations(database) == {}


def test_one_lane_runs_one_job_and_three_lanes_run_three(database: TestDatabase, claims: Claims) -> None:
    ada = make_person(database)
    queue_jobs(database, ada, 5)
    claim(claims)
    assert claims.claim("basic", "w", [], LEASE, 0, DEADLINE) is None
    set_lanes(database, ada, 3)
    assert [claims.claim("basic", "w", [], LEASE, 0, DEADLINE) is not None for _ in range(3)] == [
        True,
        True,
        False,
    ]
    set_lanes(database, ada, None)
    assert all(claims.claim("basic", "w", [], LEASE, 0, DEADLINE) for _ in range(2))


def test_heavy_jobs_do_not_starve_light_ones(database: TestDatabase, claims: Claims) -> None:
    """Ada's jobs take ten times Bob's: in a hundred credits of service each gets about half."""
    ada, bob = make_person(database, credits=2000), make_person(database, credits=2000)
    queue_jobs(database, ada, 20, estimate=20)
    queue_jobs(database, bob, 200, estimate=2)
    service: Counter[UUID] = Counter()
    for _ in range(110):
        found = claim(claims)
        seconds = 20 if found.user_id == ada else 2
        claims.finish(found.attempt_id, "completed", seconds, None)
        service[found.user_id] += seconds
    assert abs(service[ada] - service[bob]) <= 20
    assert violations(database) == {}


def test_who_returns_after_a_pause_does_not_catch_up(database: TestDatabase, claims: Claims) -> None:
    ada, bob = make_person(database), make_person(database)
    queue_jobs(database, ada, 30)
    queue_jobs(database, bob, 1)
    for _ in range(20):
        found = claim(claims)
        claims.finish(found.attempt_id, "completed", 5, None)
    queue_jobs(database, bob, 20)
    order = []
    for _ in range(10):
        found = claim(claims)
        order.append(found.user_id)
        claims.finish(found.attempt_id, "completed", 5, None)
    assert 4 <= order.count(ada) <= 6


def test_the_clock_does_not_go_back_when_nobody_is_active(database: TestDatabase, claims: Claims) -> None:
    """Ada used an idle machine for long; Bob, who comes later, gets no more than his share from then on."""
    ada, bob = make_person(database), make_person(database)
    queue_jobs(database, ada, 60)
    for _ in range(60):
        claims.finish(claim(claims).attempt_id, "completed", 5, None)
    queue_jobs(database, bob, 20)
    queue_jobs(database, ada, 20)
    order = []
    for _ in range(10):
        found = claim(claims)
        order.append(found.user_id)
        claims.finish(found.attempt_id, "completed", 5, None)
    assert 4 <= order.count(ada) <= 6


def test_priority_then_age(database: TestDatabase, claims: Claims) -> None:
    ada = make_person(database)
    first, second = queue_jobs(database, ada, 2)
    (urgent,) = queue_jobs(database, ada, prepend=True)
    order = []
    for _ in range(3):
        found = claim(claims)
        order.append(found.item_id)
        claims.finish(found.attempt_id, "completed", 1, None)
    assert order == [urgent, first, second]


def test_a_loaded_model_is_preferred_within_the_window_only(database: TestDatabase, claims: Claims) -> None:
    ada, bob = make_person(database), make_person(database)
    queue_jobs(database, ada, 10, models=["a"])
    queue_jobs(database, bob, 10, models=["b"])
    order = []
    for _ in range(8):
        found = claim(claims, loaded=["b"], affinity=12)
        order.append("b" if found.user_id == bob else "a")
        claims.finish(found.attempt_id, "completed", 5, None)
    # Bob's jobs are preferred until he is more than 12 credits ahead; then Ada is not passed over.
    assert order[:2] == ["b", "b"]
    assert order.count("a") >= 3


def test_nobody_is_passed_over_more_than_four_times_in_a_row(database: TestDatabase, claims: Claims) -> None:
    """However many people want the model that is loaded."""
    odd = make_person(database)
    queue_jobs(database, odd, 3, models=["y"])
    for _ in range(12):
        queue_jobs(database, make_person(database), 3, models=["x"])
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE queue_lanes SET virtual_time = 1 WHERE user_id <> %s", [odd])
    order = []
    for _ in range(15):
        found = claim(claims, loaded=["x"], affinity=1000)
        order.append(found.user_id)
        claims.finish(found.attempt_id, "completed", 5, None)
    assert order.index(odd) <= 4


def test_a_lost_lease_returns_the_job_and_fences_the_old_attempt(
    database: TestDatabase, claims: Claims
) -> None:
    ada = make_person(database)
    (item,) = queue_jobs(database, ada)
    old = claim(claims)
    expire_leases(database)
    reaped = claims.reap(3)
    assert reaped is not None
    assert (reaped.item_id, reaped.status) == (item, "pending")
    assert claims.reap(3) is None
    assert claims.heartbeat(old.attempt_id, LEASE, 1, 1) == "lost"
    new = claim(claims)
    assert (new.item_id, new.attempt_number) == (item, 2)
    assert (
        claims.finish(old.attempt_id, "completed", 9, None, [image(image_name="old.png")]).accepted is False
    )
    assert claims.hand_back(old.attempt_id) is None
    assert claims.finish(new.attempt_id, "completed", 1, None, [image()]).charged == 1
    assert (
        claims.finish(new.attempt_id, "completed", 1, None, [image(image_name="again.png")]).accepted is False
    )
    assert one(database, "SELECT count(*) FROM usage_records") == 1
    assert one(database, "SELECT array_agg(image_name)::text FROM images") == "{x.png}"
    assert violations(database) == {}


def test_the_third_lost_attempt_fails_the_job_unpaid(database: TestDatabase, claims: Claims) -> None:
    ada = make_person(database)
    queue_jobs(database, ada)
    statuses = []
    for _ in range(3):
        claim(claims)
        expire_leases(database)
        reaped = claims.reap(3)
        assert reaped is not None
        statuses.append(reaped.status)
    assert statuses == ["pending", "pending", "failed"]
    assert one(database, "SELECT count(*) FROM credit_transactions WHERE transaction_type <> 'grant'") == 0
    assert violations(database) == {}


def test_handing_back_is_no_lost_attempt(database: TestDatabase, claims: Claims) -> None:
    ada = make_person(database)
    queue_jobs(database, ada)
    for _ in range(5):
        assert claims.hand_back(claim(claims).attempt_id) == ("pending", "basic")
    assert claim(claims).attempt_number == 6
    assert violations(database) == {}


def test_a_job_whose_service_is_away_waits_longer_each_time(database: TestDatabase, claims: Claims) -> None:
    ada, bob = make_person(database), make_person(database)
    queue_jobs(database, ada)
    pauses = []
    for _ in range(3):
        assert claims.hand_back(claim(claims).attempt_id, away=True) == ("pending", "basic")
        assert claims.claim("basic", "w", [], LEASE, 0, DEADLINE) is None
        query = (
            "SELECT extract(epoch FROM not_before - ended_at) FROM session_queue q"
            " JOIN job_attempts a USING (user_id, item_id) WHERE a.number = q.attempts"
        )
        pauses.append(one(database, query))
        with psycopg.connect(database.owner) as connection:
            connection.execute("UPDATE session_queue SET not_before = now()")
    assert [round(float(str(pause)) / 5) for pause in pauses] == [1, 2, 4]
    queue_jobs(database, bob)
    assert claim(claims).user_id in (ada, bob)
    assert violations(database) == {}


def test_a_cancelled_job_that_is_handed_back_ends_unpaid(database: TestDatabase, claims: Claims) -> None:
    ada = make_person(database)
    (item,) = queue_jobs(database, ada)
    found = claim(claims)
    with psycopg.connect(database.url(roles.API)) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(ada)])
        connection.execute("SELECT queue_cancel(%s)", [[item]])
    assert claims.hand_back(found.attempt_id) == ("canceled", "basic")
    assert claims.claim("basic", "w", [], LEASE, 0, DEADLINE) is None
    assert one(database, "SELECT used_credits FROM credits") == 0
    assert violations(database) == {}


def test_a_job_past_its_deadline_is_stopped_and_pays_what_it_ran(
    database: TestDatabase, claims: Claims
) -> None:
    ada = make_person(database)
    queue_jobs(database, ada)
    found = claims.claim("basic", "w", [], LEASE, 0, -1.0)
    assert found is not None
    reaped = claims.reap(3)
    assert reaped is not None
    assert reaped.status == "canceled"
    assert claims.heartbeat(found.attempt_id, LEASE, 1, 1) == "lost"
    assert one(database, "SELECT error_type FROM session_queue") == "JobTooLong"
    assert one(database, "SELECT credits_consumed FROM usage_records") == 1
    assert violations(database) == {}


def test_what_cannot_be_reaped_does_not_stand_before_the_rest(database: TestDatabase, claims: Claims) -> None:
    ada, bob = make_person(database), make_person(database)
    for person in (ada, bob):
        queue_jobs(database, person)
        claim(claims)
    expire_leases(database)
    with psycopg.connect(database.url()) as connection:  # the first one's reservation is gone
        connection.execute("SET session_replication_role = replica")  # which triggers would not allow
        connection.execute(
            "UPDATE job_attempts SET lease_until = now() - interval '1 hour', number = 3 WHERE user_id = %s",
            [ada],
        )
        connection.execute("DELETE FROM credit_holds WHERE user_id = %s", [ada])
        connection.execute("DELETE FROM credit_reservations WHERE user_id = %s", [ada])
    reaped = claims.reap(1)
    assert reaped is not None
    assert reaped.user_id == bob


def test_a_failed_job_pays_nothing_and_has_no_pictures(database: TestDatabase, claims: Claims) -> None:
    ada = make_person(database)
    queue_jobs(database, ada)
    found = claim(claims)
    error = ("Error", "It broke.", None)
    assert claims.finish(found.attempt_id, "failed", 4, None, [image()], error).charged == 0
    assert one(database, "SELECT count(*) FROM images") == 0
    assert violations(database) == {}


def test_a_cancelled_job_keeps_what_it_paid_for(database: TestDatabase, claims: Claims) -> None:
    ada = make_person(database)
    queue_jobs(database, ada)
    assert claims.finish(claim(claims).attempt_id, "canceled", 1.5, None, [image()]).charged == 2
    assert one(database, "SELECT count(*) FROM images") == 1


@pytest.mark.parametrize("board", ["nope", "6f1a2c00-0000-4000-8000-000000000000"])
def test_a_board_that_is_nobodys_is_left_out(database: TestDatabase, claims: Claims, board: str) -> None:
    ada = make_person(database)
    queue_jobs(database, ada)
    made = image(board_id=board, metadata={"a": "x\0y"})
    finished = claims.finish(claim(claims).attempt_id, "completed", 1, {"results": "x\0y"}, [made])
    assert finished.accepted
    assert one(database, "SELECT metadata ->> 'a' FROM images") == "xy"
    assert one(database, "SELECT count(*) FROM board_images") == 0


def test_a_removed_job_takes_its_batch_along(database: TestDatabase, claims: Claims) -> None:
    ada = make_person(database)
    first, second = queue_jobs(database, ada, 2)
    for _ in range(2):
        claims.finish(claim(claims).attempt_id, "completed", 1, None)
    for item, left in ((first, 1), (second, 0)):
        with psycopg.connect(database.url(roles.API)) as connection:
            connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(ada)])
            assert connection.execute("SELECT queue_delete(%s)", [[item]]).fetchone() == (1,)
        assert one(database, "SELECT count(*) FROM job_batches") == left


def test_a_job_longer_than_its_reservation_draws_on_what_is_left_then_stops(
    database: TestDatabase, claims: Claims
) -> None:
    ada = make_person(database, credits=8)
    queue_jobs(database, ada, estimate=5)
    found = claim(claims)
    assert claims.heartbeat(found.attempt_id, LEASE, 4, 2) == "ok"  # 6 wanted: the reservation grows
    assert one(database, "SELECT amount FROM credit_reservations") == 6
    assert claims.heartbeat(found.attempt_id, LEASE, 8, 2) == "ok"  # 10 wanted, 8 there are
    assert claims.heartbeat(found.attempt_id, LEASE, 8.5, 2) == "spent"
    finished = claims.finish(found.attempt_id, "canceled", 9, None)
    assert finished.charged == 8  # never more than there was
    assert violations(database) == {}


def test_reserved_credits_outlive_their_grant(database: TestDatabase, claims: Claims) -> None:
    ada = make_person(database, credits=20)
    queue_jobs(database, ada, estimate=5)
    found = claim(claims)
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE credits SET valid_until = now()")
    with psycopg.connect(database.url(roles.WORKER)) as connection:
        connection.execute("SELECT credits_expire(10)")
    assert one(database, "SELECT expired_credits FROM credits") == 15
    assert claims.finish(found.attempt_id, "completed", 3, None).charged == 3
    with psycopg.connect(database.url(roles.WORKER)) as connection:
        connection.execute("SELECT credits_expire(10)")
    assert one(database, "SELECT (used_credits, expired_credits)::text FROM credits") == "(3,17)"
    assert violations(database) == {}


def test_the_grant_that_expires_first_is_spent_first(database: TestDatabase, claims: Claims) -> None:
    ada = make_person(database, credits=4)
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "SELECT credits_grant(%s, 100, 'pack', now(), now() + interval '60 days', 'pack-1', 'Pack')",
            [ada],
        )
    queue_jobs(database, ada, estimate=10)
    found = claim(claims)
    assert claims.finish(found.attempt_id, "completed", 6, None).charged == 6
    with psycopg.connect(database.url()) as connection:
        used = connection.execute("SELECT used_credits FROM credits ORDER BY valid_until").fetchall()
    assert used == [(4,), (2,)]
    assert violations(database) == {}


@pytest.mark.parametrize(("credits", "jobs", "code"), [(9, 2, "SC402"), (500, 3, "SC429")])
def test_a_refused_batch_leaves_nothing(database: TestDatabase, credits: int, jobs: int, code: str) -> None:
    ada = make_person(database, credits=credits)
    with pytest.raises(psycopg.Error) as refused:
        queue_jobs(database, ada, jobs, max_pending=2)
    assert refused.value.sqlstate == code
    for table in ("session_queue", "job_batches", "credit_reservations", "credit_holds"):
        assert one(database, f"SELECT count(*) FROM {table}") == 0


def test_concurrent_claims_never_share_a_job_or_pass_a_lane(database: TestDatabase) -> None:
    people = [make_person(database) for _ in range(4)]
    for person in people:
        queue_jobs(database, person, 10, estimate=1)

    def work(number: int) -> list[int]:
        mine = Claims(database.url(roles.WORKER))
        done = []
        try:
            while (found := mine.claim("basic", str(number), [], LEASE, 0, DEADLINE)) is not None:
                assert mine.finish(found.attempt_id, "completed", 0.5, None).accepted
                done.append(found.item_id)
        finally:
            mine.close()
        return done

    with ThreadPoolExecutor(4) as pool:
        done = [item for items in pool.map(work, range(4)) for item in items]
    # A worker may see only locked lanes and give up; the others go on, so all is done in the end.
    assert len(done) == len(set(done)) == 40
    assert violations(database) == {}


def test_cancel_frees_waiting_jobs_at_once_and_asks_running_ones(
    database: TestDatabase, claims: Claims
) -> None:
    ada, bob = make_person(database), make_person(database)
    running, waiting = queue_jobs(database, ada, 2)
    found = claim(claims)
    assert found.item_id == running
    for person, expected in [(bob, []), (ada, [(running, "in_progress"), (waiting, "canceled")])]:
        with psycopg.connect(database.url(roles.API)) as connection:
            connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(person)])
            rows = connection.execute(
                "SELECT item_id, status FROM queue_cancel(%s)", [[running, waiting]]
            ).fetchall()
        assert sorted(rows) == expected
    assert claims.heartbeat(found.attempt_id, LEASE, 1, 1) == "cancel"
    assert claims.finish(found.attempt_id, "canceled", 1.4, None).charged == 2
    assert violations(database) == {}


def test_the_backlog_counts_what_could_start(database: TestDatabase, claims: Claims) -> None:
    ada, bob = make_person(database), make_person(database)
    queue_jobs(database, ada, 5, estimate=3)
    queue_jobs(database, bob, 5, estimate=4)
    set_lanes(database, bob, 3)
    with psycopg.connect(database.url(roles.WORKER)) as connection:
        assert connection.execute("SELECT jobs, credits FROM queue_backlog()").fetchone() == (4, 15)
    claim(claims)  # Ada's only lane is taken
    with psycopg.connect(database.url(roles.WORKER)) as connection:
        assert connection.execute("SELECT jobs FROM queue_backlog()").fetchone() == (3,)


def test_the_ledger_is_append_only(database: TestDatabase) -> None:
    make_person(database)
    for statement in ("UPDATE credit_transactions SET amount = 9", "DELETE FROM credit_transactions"):
        with psycopg.connect(database.owner) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(statement.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO credits (user_id, total_credits, source, valid_from, valid_until)"
        " VALUES (app_user(), 9, 'x', now(), now() + interval '1 day')",
        "UPDATE credits SET total_credits = 999999",
        "INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)"
        " VALUES (app_user(), 9, 'grant', 'x', 'x')",
        "UPDATE user_subscriptions SET status = 'active'",
        "UPDATE subscription_plans SET monthly_credits = 999999",
        "UPDATE users SET role = 'admin'",
        "UPDATE session_queue SET status = 'completed'",
        "UPDATE queue_lanes SET virtual_time = -1",
        "SELECT credits_grant(app_user(), 9, 'x', now(), now() + interval '1 day', 'x', 'x')",
        "SELECT queue_finish(gen_random_uuid(), 'completed', 1, NULL, NULL, NULL, NULL, NULL)",
        "SELECT _credits_settle(app_user(), 1, 0, '')",
        "SELECT queue_reap(1)",
        "SELECT queue_claim('basic', 'w', '{}', 1, 0, 1)",
    ],
)
def test_no_tenant_writes_ledger_plan_or_queue_rows(database: TestDatabase, statement: str) -> None:
    ada = make_person(database)
    with psycopg.connect(database.url(roles.API)) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(ada)])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())
