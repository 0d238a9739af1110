"""Who may open and do what below /admin: staff everything, everybody else nothing, whatever their role and token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from fastapi.routing import iter_route_contexts

from invokeai_saas.api import create_app
from tests.admin.desk import Desk, open_desk
from tests.apps import RunningApi, Subject
from tests.servers import TestDatabase

WHY = {"reason": "because the test says so"}
# What staff get for a page, and the form of each act, in an order in which all of them can be done.
PAGES = {
    "GET /admin": 200,
    "GET /admin/margins": 200,
    "GET /admin/people": 200,
    "GET /admin/people/{user_id}": 200,
    "GET /admin/plans": 200,
    "GET /admin/payments": 200,
    "GET /admin/jobs": 200,
    "GET /admin/workers": 200,
    "GET /admin/webhooks": 200,
    "GET /admin/audit": 200,
}
ACTS: dict[str, dict[str, Any]] = {
    "POST /admin/people/{user_id}/credits": {"amount": 5, "days": 5, "key": str(uuid4())},
    "POST /admin/people/{user_id}/tester": {"ends": "2999-01-01", "key": "6f1f2c3e-0000-4000-8000-000000000001"},
    "POST /admin/people/{user_id}/tester/{grant}/revoke": {},
    "POST /admin/people/{user_id}/plan": {"ends": "2999-01-01", "gpu_tier": "dedicated"},
    "POST /admin/people/{user_id}/plan/end": {},
    "POST /admin/people/{user_id}/block": {},
    "POST /admin/people/{user_id}/unblock": {},
    "POST /admin/plans/{plan}": {"name": "Other", "gpu_tier": "basic", "model_access": "sd"},
    "POST /admin/packs/{slug}": {"name": "Other", "credits": 1, "price": 1, "valid_days": 1},
    "POST /admin/jobs/{item}/cancel": {},
    "POST /admin/webhooks/{event}/replay": {},
    "POST /admin/logout": {},
}  # fmt: skip
FOR_ALL = {"GET /admin/login", "HEAD /admin/login", "POST /admin/login"}


def test_every_page_and_act_is_listed() -> None:
    application: Any = create_app()
    found = {
        f"{method} {route.path_format}"
        for route in iter_route_contexts(application.other_asgi_app.routes)
        for method in route.methods or ()
        if (route.path_format or "").startswith("/admin")
    }
    assert found == PAGES.keys() | ACTS.keys() | FOR_ALL


def _make(database: TestDatabase, ada: Subject) -> dict[str, str]:
    """What the paths name."""
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "INSERT INTO stripe_events (id, type, payload, created_at) VALUES ('evt_1', 'invoice.paid', '{}', now())"
        )
        row = connection.execute("SELECT id FROM subscription_plans WHERE slug = 'pro'").fetchone()
        assert row is not None
        batch = uuid4()
        connection.execute(
            "INSERT INTO job_batches (user_id, batch_id, graph) VALUES (%s, %s, '{}')", [ada.user_id, batch]
        )
        connection.execute(
            "INSERT INTO session_queue (item_id, user_id, batch_id, session_id, tier, estimate, name_key)"
            " VALUES (7, %s, %s, %s, 'basic', 5, 'k')",
            [ada.user_id, batch, uuid4()],
        )
        connection.execute("SELECT _credits_reserve(%s, 7, 5)", [ada.user_id])
        connection.execute("SELECT _queue_join_lane('basic', %s, 1, 1)", [ada.user_id])
    return {
        "{user_id}": str(ada.user_id), "{grant}": "6f1f2c3e-0000-4000-8000-000000000001", "{plan}": str(row[0]),
        "{slug}": "pack-1000", "{item}": "7", "{event}": "evt_1",
    }  # fmt: skip


def _requests(names: dict[str, str]) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    for operation in (*PAGES, *ACTS):
        method, path = operation.split(" ")
        for name, value in names.items():
            path = path.replace(name, value)
        yield method, path, ACTS.get(operation)


def _state(database: TestDatabase) -> list[Any]:
    with psycopg.connect(database.owner) as connection:
        return [
            connection.execute(query).fetchall()
            for query in (
                "SELECT count(*) FROM audit_log", "SELECT sum(total_credits) FROM credits",
                "SELECT status FROM user_subscriptions", "SELECT is_active FROM users ORDER BY id",
                "SELECT name FROM subscription_plans ORDER BY id", "SELECT status FROM session_queue",
                "SELECT status FROM stripe_events",
            )
        ]  # fmt: skip


@pytest.mark.parametrize("who", ["nobody", "customer", "customer with the role admin"])
async def test_nobody_else_gets_anything(api: RunningApi, database: TestDatabase, who: str) -> None:
    """Forms come with a token of a real staff session, which is not theirs."""
    ada = await api.person("ada@example.com")
    names = _make(database, ada)
    desk = await open_desk(api, database)
    token = await desk.token()
    subject = api.nobody() if who == "nobody" else await api.person("eve@example.com")
    if who.endswith("admin"):
        desk.execute("UPDATE users SET role = 'admin' WHERE id = %s", subject.user_id)
    before = _state(database)
    for method, path, form in _requests(names):
        answer = await _as(subject.client, method, path, form, token, api.settings.public_url)
        expected = 303 if method == "GET" else 401
        assert answer.status_code == expected, (method, path, answer.text[:200])
        if method == "GET":
            assert answer.headers["location"] == "/admin/login"
        assert "ada@example.com" not in answer.text
    assert _state(database) == before


async def _as(
    client: httpx.AsyncClient, method: str, path: str, form: dict[str, Any] | None, token: str, origin: str
) -> httpx.Response:
    if method == "GET":
        return await client.get(path)
    return await client.post(path, data=WHY | (form or {}) | {"csrf": token}, headers={"origin": origin})


async def test_staff_get_all_of_it(api: RunningApi, database: TestDatabase, desk: Desk) -> None:
    names = _make(database, await api.person("ada@example.com"))
    desk.execute("UPDATE session_queue SET status = 'pending'")
    token = await desk.token()
    order = sorted(_requests(names), key=lambda one: "/block" in one[1])  # it cancels her job
    order.sort(key=lambda one: "/unblock" in one[1] or "/logout" in one[1])
    for method, path, form in order:
        answer = await _as(desk.client, method, path, form, token, desk.origin)
        expected = PAGES.get(f"GET {path}", 200) if method == "GET" else 303
        assert answer.status_code == expected, (method, path, answer.text[-600:])
    assert (await desk.get("/admin/people")).headers["location"] == "/admin/login"


async def test_each_act_wants_its_own_form(api: RunningApi, database: TestDatabase, desk: Desk) -> None:
    """A form without the session's token, or from elsewhere, does nothing: tried for every act."""
    names = _make(database, await api.person("ada@example.com"))
    token, before = await desk.token(), _state(database)
    for method, path, form in _requests(names):
        if method == "POST":
            without = await _as(desk.client, method, path, form, "", desk.origin)
            foreign = await _as(desk.client, method, path, form, token, "https://evil.example")
            assert (without.status_code, foreign.status_code) == (403, 403), path
    assert _state(database) == before


async def test_without_the_roles_url_there_are_no_pages(api: RunningApi, database: TestDatabase) -> None:
    from pydantic import SecretStr

    from tests.apps import running_api

    async with running_api(api.settings.model_copy(update={"database_staff_url": SecretStr("")})) as without:
        nobody = without.nobody()
        nobody.client.cookies.set("invokeai_saas_staff", "x", path="/admin")
        assert (await nobody.get("/admin/people")).status_code == 404
        form = {"email": "a@example.com", "password": "x", "code": "000000"}
        answer = await nobody.post("/admin/login", data=form, headers={"origin": without.settings.public_url})
        assert answer.status_code == 404
