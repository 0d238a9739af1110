"""Staff's log-in: who gets in, for how long, and that nothing of it is good anywhere else."""

from __future__ import annotations

import time

import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.errors import SetupError
from invokeai_saas.identity.staff import operating, service
from invokeai_saas.identity.staff.access import secure_cookie
from invokeai_saas.settings import Settings
from tests.admin.desk import STAFF, Desk, new_desk, open_desk
from tests.apps import PASSWORD, RunningApi, running_api
from tests.servers import TestDatabase


@pytest.fixture
def desk(api: RunningApi, database: TestDatabase) -> Desk:
    return new_desk(api, database)


async def test_staff_get_in_with_password_and_code(desk: Desk) -> None:
    assert (await desk.get("/admin/people")).headers["location"] == "/admin/login"
    answer = await desk.log_in()
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/admin"))
    assert STAFF in await desk.page("/admin/people")
    assert desk.rows("SELECT actor, action, thing FROM audit_log ORDER BY id") == [
        ("operator", "staff.add", STAFF),
        (STAFF, "staff.log_in", STAFF),
    ]


@pytest.mark.parametrize(
    ("address", "secure"),
    [
        ("http://127.0.0.1:8080", False), ("http://localhost:8080", False), ("https://localhost", True),
        ("http://studio.example", True), ("https://studio.example", True),
    ],
)  # fmt: skip
def test_the_cookie_travels_in_clear_on_this_machine_alone(address: str, secure: bool) -> None:
    assert secure_cookie(Settings(public_url=address)) is secure


async def test_one_answer_for_everything_that_is_wrong(api: RunningApi, desk: Desk) -> None:
    await api.person("ada@example.com")
    wrong = [
        {"password": "Wrong-horse-7", "code": desk.totp.now()},
        {"code": "000000"},
        {"code": ""},
        {"code": "१२३४५६"},
        {"email": "nobody@example.com", "code": "000000"},
        {"email": "ada@example.com", "password": PASSWORD, "code": "000000"},
    ]
    answers = [await desk.log_in(**change) for change in wrong]
    assert [answer.status_code for answer in answers] == [401, 401, 422, 401, 401, 401]
    said = [a.text.partition('role="alert">')[2].partition("<")[0] for a in answers if a.status_code == 401]
    assert set(said) == {"The address, the password or the code is not right."}
    assert (await desk.log_in()).status_code == 303


async def test_a_code_is_good_once(api: RunningApi, database: TestDatabase, desk: Desk) -> None:
    code = desk.totp.at(int(time.time()))
    assert (await desk.log_in(code=code)).status_code == 303
    assert (await desk.log_in(code=code)).status_code == 401
    earlier = desk.totp.at(int(time.time()) - 30)
    assert (await desk.log_in(code=earlier)).status_code == 401


def test_codes_of_the_steps_around_ours_are_taken_and_no_others() -> None:
    # RFC 6238, appendix B: the SHA-1 secret "12345678901234567890" at 1111111109 s, the last six digits.
    secret, moment = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 1111111109
    steps = [service.step_of(secret, "081804", moment + 30 * drift) for drift in (-2, -1, 0, 1, 2)]
    assert steps == [None, 37037036, 37037036, 37037036, None]


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE staff_sessions SET seen_at = now() - interval '31 minutes'",
        "UPDATE staff_sessions SET expires_at = now()",
        "UPDATE staff_sessions SET revoked_at = now()",
        "UPDATE users SET role = 'user'",
        "UPDATE users SET is_active = false",
    ],
)
async def test_a_session_ends(desk: Desk, ending: str) -> None:
    await desk.log_in()
    await desk.page("/admin/people")
    desk.execute(ending)
    assert (await desk.get("/admin/people")).headers["location"] == "/admin/login"


async def test_a_session_lasts_eight_hours_and_each_request_keeps_it_awake(desk: Desk) -> None:
    await desk.log_in()
    ((hours,),) = desk.rows("SELECT extract(epoch FROM expires_at - created_at) / 3600 FROM staff_sessions")
    assert hours == 8
    desk.execute("UPDATE staff_sessions SET seen_at = now() - interval '29 minutes'")
    await desk.page("/admin/people")
    ((fresh,),) = desk.rows("SELECT seen_at > now() - interval '1 minute' FROM staff_sessions")
    assert fresh


async def test_logging_out_ends_it_for_good(desk: Desk) -> None:
    await desk.log_in()
    kept = dict(desk.client.cookies)
    answer = await desk.send("/admin/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/login")
    desk.client.cookies.update(kept)
    assert (await desk.get("/admin/people")).status_code == 303


async def test_forms_of_other_sites_are_refused(desk: Desk) -> None:
    await desk.log_in()
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"origin": ""}):
        assert (await desk.send("/admin/logout", headers=headers)).status_code == 403
    for csrf in ("", "0" * 64):
        assert (await desk.send("/admin/logout", {"csrf": csrf})).status_code == 403
    await desk.page("/admin/people")
    data = {"email": desk.email, "password": desk.password, "code": desk.code()}
    foreign = await desk.client.post("/admin/login", data=data, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403


async def test_a_customers_token_opens_no_page_and_a_staff_cookie_no_operation(
    api: RunningApi, database: TestDatabase
) -> None:
    ada = await api.person("ada@example.com")
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE users SET role = 'admin' WHERE id = %s", [ada.user_id])
    assert (await ada.get("/admin/people")).headers["location"] == "/admin/login"
    assert (await ada.post("/admin/logout", headers={"origin": api.settings.public_url})).status_code == 401
    desk = await open_desk(api, database)
    secret = desk.client.cookies["invokeai_saas_staff"]
    assert (await desk.get("/api/v1/auth/me")).status_code == 401
    bearer = {"authorization": f"Bearer {secret}"}
    assert (await desk.get("/api/v1/auth/me", headers=bearer)).status_code == 401
    cookies = {"cookie": f"invokeai_media_token={secret}; invokeai_saas_refresh={secret}"}
    assert (await desk.client.post("/api/v1/auth/refresh", headers=cookies)).status_code == 401


@pytest.mark.parametrize("limit", ["login_attempts_per_minute", "staff_log_ins_per_hour"])
async def test_log_ins_are_counted(database: TestDatabase, settings: Settings, limit: str) -> None:
    few = settings.model_copy(update={limit: 3})
    async with running_api(few) as api:
        desk = new_desk(api, database, f"staff-{time.time_ns()}@example.com")  # Redis is the suite's
        statuses = [(await desk.log_in(code="000000")).status_code for _ in range(3)]
        refused = await desk.log_in()
    assert statuses == [401] * 3
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


async def test_adding_again_renews_and_removing_ends(
    api: RunningApi, database: TestDatabase, desk: Desk
) -> None:
    await desk.log_in()
    operating.add(database.owner, STAFF)
    assert (await desk.get("/admin/people")).status_code == 303
    assert (await desk.log_in()).status_code == 401
    again = await open_desk(api, database)
    assert [found.email for found in operating.listed(database.owner)] == [STAFF]
    operating.remove(database.owner, STAFF)
    assert (await again.get("/admin/people")).status_code == 303
    assert (await again.log_in()).status_code == 401
    assert operating.listed(database.owner) == []
    with pytest.raises(SetupError):
        operating.remove(database.owner, STAFF)
    with pytest.raises(SetupError):
        operating.add(database.owner, "no address")


async def test_staff_without_an_account_are_no_customers(api: RunningApi, desk: Desk) -> None:
    answer = await api.nobody().post("/api/v1/auth/login", json={"email": STAFF, "password": desk.password})
    assert answer.status_code == 401


def test_the_role_reads_nothing_without_a_live_session(database: TestDatabase) -> None:
    with psycopg.connect(database.url(roles.STAFF), autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
        connection.execute("SELECT set_config('app.staff_session', 'ab', false)")
        assert connection.execute("SELECT count(*) FROM credits").fetchone() == (0,)
        for statement in (
            "SELECT * FROM staff_credentials",
            "SELECT * FROM staff_sessions",
            "SELECT * FROM local_credentials",
            "SELECT graph FROM job_batches",
            "SELECT field_values FROM session_queue",
            "SELECT payload FROM stripe_events",
            "UPDATE users SET role = 'admin'",
            "INSERT INTO audit_log (actor, action, kind, thing, reason) VALUES ('a', 'a', 'a', 'a', '')",
            "SELECT credits_grant(gen_random_uuid(), 1, 'x', now(), now(), 'x', 'x')",
            "SELECT audit_operator('x', NULL, 'x', 'x', '', '{}')",
            "SELECT queue_cancel('{1}')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


@pytest.mark.parametrize("role", [roles.API, roles.AUTH, roles.WORKER, roles.BILLING])
def test_no_other_role_is_staff(database: TestDatabase, role: str) -> None:
    with psycopg.connect(database.url(role), autocommit=True) as connection:
        for statement in (
            "SELECT * FROM staff_login_facts('staff@example.com')",
            "SELECT staff_open_session(gen_random_uuid(), 1, '\\x00', 'a', 'a')",
            "SELECT staff_give_credits(gen_random_uuid(), 1, 1, 'x', gen_random_uuid())",
            "SELECT * FROM audit_log",
            "SELECT * FROM staff_credentials",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
