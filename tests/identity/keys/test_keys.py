"""API keys: made and revoked in the page, used by programs, refused when they are no good or the plan has none."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.identity.keys.service import MOST_LIVE
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi, Subject, running_api
from tests.factories import make_image
from tests.graphs import add_model, batch_body
from tests.identity.keys.people import KEYS, make_key, on_plan, program
from tests.plans import put_on
from tests.servers import TestDatabase

ME = "/api/v1/auth/me"


def _rows(database: TestDatabase, columns: str = "*") -> list[Any]:
    with psycopg.connect(database.url()) as connection:
        return connection.execute(f"SELECT {columns} FROM api_keys").fetchall()


def _change(database: TestDatabase, change: str) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute(f"UPDATE api_keys SET {change}")


async def _code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_key_is_shown_once_and_not_kept(api: RunningApi, database: TestDatabase) -> None:
    ada = await on_plan(api, database)
    made = await make_key(ada, name="  My script ", expires_in_days=30)
    assert made.keys() == {"id", "name", "prefix", "key", "created_at", "expires_at"}
    assert (made["name"], made["prefix"]) == ("My script", made["key"][:8])
    assert made["key"].startswith("isk_") and len(made["key"]) == 53
    kept = str(_rows(database))
    assert made["key"][8:] not in kept and made["key"].encode().hex() not in kept
    (shown,) = (await ada.get(KEYS)).json()
    assert shown == {name: made[name] for name in made.keys() - {"key"}} | {"last_used_at": None}


async def test_who_makes_a_key_is_told_by_mail(api: RunningApi, database: TestDatabase) -> None:
    """In case it was somebody else. The mail has of the key what its person sees of it."""
    ada = await on_plan(api, database)
    made = [await make_key(ada, name=name) for name in ("My script", "Another")]
    with psycopg.connect(database.owner) as connection:
        query = "SELECT user_id, key, data FROM mail_outbox WHERE kind = 'key_made' ORDER BY created_at"
        mails = connection.execute(query).fetchall()
    assert [(who, UUID(about)) for who, about, _ in mails] == [(ada.user_id, UUID(key["id"])) for key in made]
    for (*_, told), key in zip(mails, made, strict=True):
        assert told.keys() == {"key", "prefix", "made_at"}
        assert (told["key"], told["prefix"]) == (key["name"], key["prefix"])


async def test_a_program_is_its_person(api: RunningApi, database: TestDatabase) -> None:
    add_model(database)
    ada, bob = await on_plan(api, database), await api.person("bob@example.com")
    mine = program(api, (await make_key(ada))["key"])
    with psycopg.connect(database.owner) as connection:
        assert ada.user_id and bob.user_id
        name, other = make_image(connection, ada.user_id), make_image(connection, bob.user_id)
    queued = await mine.post("/api/v1/queue/default/enqueue_batch", json=batch_body())
    assert queued.status_code == 200, queued.text
    assert (await ada.get("/api/v1/queue/default/item_ids")).json()["item_ids"] == queued.json()["item_ids"]
    assert (await mine.get(f"/api/v1/images/i/{name}")).status_code == 200
    assert (await mine.get(f"/api/v1/images/i/{other}")).status_code == 404
    answer = await mine.get(ME)
    assert answer.json()["user_id"] == str(ada.user_id)
    assert not answer.headers.get_list("set-cookie") and "x-refreshed-token" not in answer.headers


async def test_pictures_load_with_the_key_itself(api: RunningApi, database: TestDatabase) -> None:
    ada = await on_plan(api, database)
    mine = program(api, (await make_key(ada))["key"])
    assert ada.user_id
    with psycopg.connect(database.owner) as connection:
        name = make_image(connection, ada.user_id)
    await api.services.objects.put(f"users/{ada.user_id}/images/{name}", b"png", "image/png")
    assert (await mine.get(f"/api/v1/images/i/{name}/full")).content == b"png"
    stranger = api.nobody()
    stranger.client.cookies.set("invokeai_media_token", str(mine.token))
    assert (await stranger.get(f"/api/v1/images/i/{name}/full")).status_code == 401


@pytest.mark.parametrize("ending", ["revoked_at = now()", "expires_at = now()"])
async def test_what_has_ended_is_refused_and_listed_no_more(
    api: RunningApi, database: TestDatabase, ending: str
) -> None:
    ada = await on_plan(api, database)
    mine = program(api, (await make_key(ada))["key"])
    _change(database, ending)
    assert await _code(await mine.get(ME)) == (401, "key_invalid")
    assert (await ada.get(KEYS)).json() == []


async def test_made_up_keys_are_refused_without_a_look(api: RunningApi, database: TestDatabase) -> None:
    ada = await on_plan(api, database)
    key = (await make_key(ada))["key"]
    last = "A" if key[-1] != "A" else "B"
    wrong = [key[:-1] + last, key[:-1], f"{key}A", "isk_", "isk_" + "A" * 49, key.replace("isk_", "ISK_")]
    other = "A" if key[10] != "A" else "B"
    for made_up in [*wrong, key[:10] + other + key[11:]]:
        answer = await program(api, made_up).get(ME)
        assert answer.status_code == 401, made_up
    assert _rows(database, "last_used_at") == [(None,)]
    assert (await program(api, key).get(ME)).status_code == 200


async def test_a_revoked_key_is_refused_at_once_here_and_soon_elsewhere(
    api: RunningApi, database: TestDatabase, settings: Settings
) -> None:
    ada = await on_plan(api, database)
    made, kept = await make_key(ada), await make_key(ada)
    async with running_api(settings) as elsewhere:
        here, there = program(api, made["key"]), program(elsewhere, made["key"])
        assert [(await one.get(ME)).status_code for one in (here, there)] == [200, 200]
        assert (await ada.request("DELETE", f"{KEYS}/{made['id']}")).status_code == 204
        assert await _code(await here.get(ME)) == (401, "key_invalid")
        later = elsewhere.services.identity.keys._trusted
        for digest, (until, found) in list(later.items()):
            later[digest] = (until - 5.0, found)  # as five seconds later
        assert await _code(await there.get(ME)) == (401, "key_invalid")
        assert (await program(elsewhere, kept["key"]).get(ME)).status_code == 200
    assert [key["id"] for key in (await ada.get(KEYS)).json()] == [kept["id"]]
    assert await _code(await ada.request("DELETE", f"{KEYS}/{made['id']}")) == (404, "not_found")


async def test_use_is_written_down_once_a_minute(api: RunningApi, database: TestDatabase) -> None:
    ada = await on_plan(api, database)
    key = (await make_key(ada))["key"]

    async def use() -> Any:
        api.services.identity.keys._trusted.clear()  # as if each came seconds after the one before
        assert (await program(api, key).get(ME)).status_code == 200
        return _rows(database, "last_used_at")[0][0]

    first = await use()
    assert first is not None
    assert await use() == first
    _change(database, "last_used_at = last_used_at - interval '61 s'")
    assert await use() > first
    (shown,) = (await ada.get(KEYS)).json()
    assert shown["last_used_at"] is not None


async def test_a_plan_without_keys_makes_none(api: RunningApi, database: TestDatabase) -> None:
    ada = await on_plan(api, database, "starter")
    answer = await ada.post(KEYS, json={"name": "k"})
    expected = {"code": "not_in_plan", "feature": "api_keys", "plans": ["pro", "studio", "enterprise"]}
    assert answer.status_code == 403
    assert {name: answer.json()[name] for name in expected} == expected
    assert _rows(database) == []


@pytest.mark.parametrize(
    "loss",
    [
        "UPDATE user_subscriptions SET plan_id = (SELECT id FROM subscription_plans WHERE slug = 'starter')",
        "UPDATE subscription_plans SET api_access = false WHERE slug = 'pro'",
        "UPDATE user_subscriptions SET status = 'expired'",
    ],
)
async def test_a_plan_that_loses_keys_refuses_them_and_keeps_them(
    api: RunningApi, database: TestDatabase, loss: str
) -> None:
    ada = await on_plan(api, database)
    made = await make_key(ada)
    with psycopg.connect(database.owner) as connection:
        connection.execute(loss)
    mine = program(api, made["key"])
    for _ in range(2):  # asked, and remembered
        refused = await mine.get(ME)
        assert await _code(refused) == (403, "not_in_plan")
        assert refused.json()["feature"] == "api_keys"
        assert set(refused.json()["plans"]) <= {"pro", "studio", "enterprise"}
        assert "studio" in refused.json()["plans"]
    assert [key["id"] for key in (await ada.get(KEYS)).json()] == [made["id"]]
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE user_subscriptions SET status = 'active'")
    put_on(database, ada.user_id, "studio")
    api.services.identity.keys._trusted.clear()
    assert (await mine.get(ME)).status_code == 200
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE user_subscriptions SET status = 'expired'")
    assert (
        await ada.request("DELETE", f"{KEYS}/{made['id']}")
    ).status_code == 204  # under any plan, and none


async def test_an_inactive_persons_keys_are_refused(api: RunningApi, database: TestDatabase) -> None:
    ada = await on_plan(api, database)
    mine = program(api, (await make_key(ada))["key"])
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE users SET is_active = false")
    assert await _code(await mine.get(ME)) == (401, "key_invalid")


LOG_IN_ONLY = [
    ("POST", KEYS, {"name": "another"}),
    ("GET", KEYS, None),
    ("PATCH", ME, {"current_password": PASSWORD, "new_password": "Another-pass-8"}),
    ("POST", "/api/v1/auth/media-cookie", None),
    ("POST", "/api/v1/billing/subscribe", {"plan": "studio"}),
    ("POST", "/api/v1/billing/packs", {"pack": "small"}),
    ("POST", "/api/v1/billing/portal", None),
    ("POST", "/api/v1/billing/cancel", None),
    ("GET", "/api/v1/billing/invoices", None),
    ("PUT", "/api/v1/account/language", {"language": "ko"}),
    ("POST", "/api/v1/account/verification", None),
]


async def test_some_things_need_a_log_in(api: RunningApi, database: TestDatabase) -> None:
    ada = await on_plan(api, database)
    made = await make_key(ada)
    mine = program(api, made["key"])
    for method, path, body in [*LOG_IN_ONLY, ("DELETE", f"{KEYS}/{made['id']}", None)]:
        answer = await mine.request(method, path, json=body)
        assert await _code(answer) == (403, "log_in_needed"), path
        assert not answer.headers.get_list("set-cookie")
    assert len(_rows(database)) == 1
    logged_in = api.nobody()
    body = {"email": "ada@example.com", "password": PASSWORD}
    assert (
        await logged_in.post("/api/v1/auth/login", json=body)
    ).status_code == 200  # the password is as it was


async def test_leaving_with_a_key_ends_nothing(api: RunningApi, database: TestDatabase) -> None:
    ada = await on_plan(api, database)
    mine = program(api, (await make_key(ada))["key"])
    assert (await mine.post("/api/v1/auth/logout")).status_code == 200
    assert [(await one.get(ME)).status_code for one in (mine, ada)] == [200, 200]


async def test_a_key_has_no_rights_of_staff(api: RunningApi, database: TestDatabase) -> None:
    model = add_model(database)
    ada = await on_plan(api, database)
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE users SET role = 'admin'")
    mine = program(api, (await make_key(ada))["key"])
    path, change = f"/api/v2/models/i/{model['key']}", {"name": "Mine now"}
    assert (await mine.request("PATCH", path, json=change)).status_code == 403


async def test_so_many_and_no_more_also_of_many_at_once(api: RunningApi, database: TestDatabase) -> None:
    ada = await on_plan(api, database)
    _fill(database, ada, MOST_LIVE - 2)
    answers = await asyncio.gather(*[ada.post(KEYS, json={"name": "k"}) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
    assert (await _code(max(answers, key=lambda answer: answer.status_code)))[1] == "too_many_keys"
    _change(database, "expires_at = now()")
    assert (await ada.post(KEYS, json={"name": "k"})).status_code == 201


def _fill(database: TestDatabase, person: Subject, count: int) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "INSERT INTO api_keys (user_id, name, prefix, digest)"
            " SELECT %s, 'k', 'isk_abcd', sha256(n::text::bytea) FROM generate_series(1, %s) n",
            [person.user_id, count],
        )


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "k", "expires_in_days": 0}, "expires_in_days"),
        ({"name": "k", "expires_in_days": 4000}, "expires_in_days"),
    ],
)
async def test_bad_wishes_name_the_field(
    api: RunningApi, database: TestDatabase, wish: dict[str, Any], field: str
) -> None:
    ada = await on_plan(api, database)
    answer = await ada.post(KEYS, json=wish)
    assert (answer.status_code, answer.json()["detail"][0]["loc"][-1]) == (422, field)


async def test_others_keys_do_not_exist(api: RunningApi, database: TestDatabase) -> None:
    ada, bob = await on_plan(api, database), await on_plan(api, database, email="bob@example.com")
    made = await make_key(ada)
    assert (await bob.get(KEYS)).json() == []
    assert await _code(await bob.request("DELETE", f"{KEYS}/{made['id']}")) == (404, "not_found")
    assert (await program(api, made["key"]).get(ME)).status_code == 200


async def test_each_key_has_a_limit_and_its_person_one_above(
    settings: Settings, database: TestDatabase
) -> None:
    limited = settings.model_copy(update={"key_requests_per_minute": 3, "requests_per_minute": 100})
    async with running_api(limited) as api:
        ada = await on_plan(api, database)
        one, other = [program(api, (await make_key(ada))["key"]) for _ in range(2)]
        codes = [(await one.get(ME)).status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        assert (await other.get(ME)).status_code == 200
        assert (await ada.get(ME)).status_code == 200
    # Keys use up their person's own limit too, so that many keys are no way around it.
    limited = settings.model_copy(update={"key_requests_per_minute": 100, "requests_per_minute": 6})
    async with running_api(limited) as api:
        bob = await on_plan(api, database, email="bob@example.com")
        one, other = [program(api, (await make_key(bob))["key"]) for _ in range(2)]
        codes = [(await subject.get(ME)).status_code for subject in (one, other, one, other, one)]
        assert codes == [200, 200, 200, 200, 429]


def test_no_role_of_the_api_reads_or_changes_a_digest(database: TestDatabase) -> None:
    with psycopg.connect(database.url(roles.API), autocommit=True) as connection:
        for statement in (
            "SELECT digest FROM api_keys",
            "SELECT * FROM api_keys",
            "UPDATE api_keys SET digest = 'x'",
            "UPDATE api_keys SET expires_at = NULL",
            "DELETE FROM api_keys",
            "SELECT * FROM api_key_find('x')",
            "SELECT * FROM trial_claims",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
