"""What changes in the user pool holds here at the next log-in, or with the next token: addresses, who may come in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import jwt
import psycopg
import pytest
from structlog.testing import CapturingLogger

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.identity import catchingup, following
from invokeai_saas.services import local_issuer
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi, Subject, running_api
from tests.aws import Aws
from tests.identity.keys.people import make_key, program
from tests.plans import put_on
from tests.servers import TestDatabase

AUTH = "/api/v1/auth"
OLD, NEW = "ada@example.com", "ada.lovelace@example.org"


@dataclass
class Pool:
    """A user pool, and what its people do there."""

    aws: Aws
    settings: Settings

    def change(self, whose: str, **attributes: str) -> None:
        self.aws.client("cognito-idp").admin_update_user_attributes(
            UserPoolId=self.settings.cognito_user_pool_id,
            Username=whose,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
        )

    async def ada(self, api: RunningApi) -> Subject:
        """Somebody who has signed up and confirmed."""
        ada = await api.person(OLD)
        body = {"token": "123456", "email": OLD}
        assert (await api.nobody().post(f"{AUTH}/verify-email", json=body)).status_code == 200
        return ada


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    """What the two modules log: the suite's logs have errors alone."""
    logger = CapturingLogger()
    for module in (following, catchingup):
        monkeypatch.setattr(module, "log", logger)
    return logger


@pytest.fixture
def pool(settings: Settings, aws: Aws) -> Pool:
    return Pool(aws, settings.model_copy(update={"aws_endpoint_url": aws.url, **aws.user_pool()}))


def _row(database: TestDatabase, person: Subject) -> tuple[Any, ...]:
    with psycopg.connect(database.url()) as connection:
        query = "SELECT email, email_verified_at IS NOT NULL FROM users WHERE id = %s"
        row = connection.execute(query, [person.user_id]).fetchone()
        assert row is not None
        return row


async def _log_in(api: RunningApi, email: str) -> int:
    body = {"email": email, "password": PASSWORD}
    return (await api.nobody().post(f"{AUTH}/login", json=body)).status_code


async def _refresh(api: RunningApi, person: Subject) -> int:
    """The status, once the pool has been asked."""
    answer = await person.post(f"{AUTH}/refresh")
    await api.services.identity.catching_up.close()
    return answer.status_code


async def _go_on(api: RunningApi, person: Subject) -> int:
    """A request of somebody who has been working for more than half their token's life. As of `_refresh`."""
    claims = jwt.decode(str(person.token), options={"verify_signature": False})
    # 10 s of leeway make a token that is all but expired still good.
    old = local_issuer(api.settings).issue(claims["sub"], claims["origin_jti"], str(person.user_id), -1)
    answer = await api.nobody().get(f"{AUTH}/me", headers={"authorization": f"Bearer {old}"})
    await api.services.identity.catching_up.close()
    return answer.status_code


@pytest.mark.parametrize("way", ["log-in", "refresh", "go on"])
async def test_a_confirmed_address_is_taken_over(
    pool: Pool, database: TestDatabase, logs: CapturingLogger, way: str
) -> None:
    async with running_api(pool.settings) as api:
        ada = await pool.ada(api)
        pool.change(OLD, email=NEW, email_verified="true")
        if way == "log-in":
            assert await _log_in(api, NEW) == 200
        else:
            assert await (_refresh if way == "refresh" else _go_on)(api, ada) == 200
        assert _row(database, ada) == (NEW, True)
        assert (await ada.get(f"{AUTH}/me")).json()["email"] == NEW
    [told] = logs.calls
    assert (told.method_name, told.args) == ("info", ("address_taken_over",))
    assert told.kwargs == {"tenant": str(ada.user_id)}  # no address


@pytest.mark.parametrize("way", ["log-in", "refresh"])
async def test_an_address_that_somebody_has_is_left_to_them(
    pool: Pool, database: TestDatabase, logs: CapturingLogger, way: str
) -> None:
    async with running_api(pool.settings) as api:
        ada, bob = await pool.ada(api), await api.person("bob@example.com")
        with psycopg.connect(database.url(), autocommit=True) as connection:
            connection.execute("UPDATE users SET email = %s WHERE id = %s", [NEW, bob.user_id])
        pool.change(OLD, email=NEW, email_verified="true")
        if way == "log-in":
            assert await _log_in(api, NEW) == 200
        else:
            assert await _refresh(api, ada) == 200
        assert _row(database, ada) == (OLD, True)
        assert _row(database, bob)[0] == NEW
    [told] = logs.calls
    assert (told.method_name, told.args) == ("warning", ("address_not_taken_over",))
    assert told.kwargs == {"tenant": str(ada.user_id), "reason": "somebody else has it"}


async def test_an_address_that_is_not_confirmed_is_not_taken_over(pool: Pool, database: TestDatabase) -> None:
    async with running_api(pool.settings) as api:
        ada = await pool.ada(api)
        pool.change(OLD, email=NEW, email_verified="false")
        assert await _log_in(api, NEW) == 200
        assert await _refresh(api, ada) == 200
        assert _row(database, ada) == (OLD, True)


async def test_an_address_that_was_confirmed_elsewhere_begins_the_trial(
    pool: Pool, database: TestDatabase
) -> None:
    """On the pool's own page, say: nobody tells us but the token."""
    waiting = pool.settings.model_copy(update={"verified_email_required": True})
    async with running_api(waiting) as api:
        ada = await api.person(OLD)
        assert (await ada.get("/api/v1/account/summary")).json()["available"] == 0
        cognito = pool.aws.client("cognito-idp")
        cognito.admin_confirm_sign_up(UserPoolId=waiting.cognito_user_pool_id, Username=OLD)
        pool.change(OLD, email=NEW, email_verified="true")
        for _ in range(2):
            assert await _log_in(api, NEW) == 200
        assert _row(database, ada) == (NEW, True)
        assert (await ada.get("/api/v1/account/summary")).json()["available"] == 500
        pool.change(NEW, email=OLD, email_verified="true")
        assert await _log_in(api, OLD) == 200
        assert (await ada.get("/api/v1/account/summary")).json()["available"] == 500  # no other trial


async def test_a_refresh_needs_no_pool(pool: Pool, database: TestDatabase, logs: CapturingLogger) -> None:
    gone = pool.settings.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{free_port()}"})
    async with running_api(pool.settings) as api:
        ada = await pool.ada(api)
    async with running_api(gone) as cut_off:
        browser = cut_off.nobody()
        browser.client.cookies = ada.client.cookies
        assert await _refresh(cut_off, browser) == 200
    assert [call.args for call in logs.calls] == [("address_not_looked_up",)]
    assert _row(database, ada) == (OLD, True)


async def test_who_is_no_more_in_the_pool_keeps_what_we_have(pool: Pool, database: TestDatabase) -> None:
    async with running_api(pool.settings) as api:
        ada = await pool.ada(api)
        pool.aws.client("cognito-idp").admin_delete_user(
            UserPoolId=pool.settings.cognito_user_pool_id, Username=OLD
        )
        assert await _refresh(api, ada) == 200
        assert _row(database, ada) == (OLD, True)


@pytest.mark.parametrize("way", [_refresh, _go_on])
async def test_who_is_disabled_in_the_pool_is_logged_out(
    pool: Pool, logs: CapturingLogger, way: Callable[[RunningApi, Subject], Awaitable[int]]
) -> None:
    cognito = pool.aws.client("cognito-idp")
    async with running_api(pool.settings) as api:
        ada, bob = await pool.ada(api), await api.person("bob@example.com")
        cognito.admin_disable_user(UserPoolId=pool.settings.cognito_user_pool_id, Username=OLD)
        assert (await ada.get(f"{AUTH}/me")).status_code == 200  # nobody has asked the pool yet
        assert await way(api, ada) == 200
        assert (await ada.get(f"{AUTH}/me")).json()["code"] == "session_ended"
        assert await _refresh(api, ada) == 401
        assert await way(api, bob) == 200
        assert (await bob.get(f"{AUTH}/me")).status_code == 200
    [told] = logs.calls
    assert (told.args, told.kwargs) == (
        ("barred_elsewhere",),
        {"tenant": str(ada.user_id), "sessions": 1, "keys": 0},
    )


async def test_keys_of_who_is_disabled_in_the_pool_end(
    pool: Pool, database: TestDatabase, logs: CapturingLogger
) -> None:
    """For good: who is let in again makes others."""
    which = {"UserPoolId": pool.settings.cognito_user_pool_id, "Username": OLD}
    cognito = pool.aws.client("cognito-idp")
    async with running_api(pool.settings) as api:
        ada, bob = await pool.ada(api), await api.person("bob@example.com")
        for person in (ada, bob):
            put_on(database, person.user_id, "pro")
        keys = [(await make_key(person))["key"] for person in (ada, ada, bob)]
        programs = [program(api, key) for key in keys]
        assert [(await one.get(f"{AUTH}/me")).status_code for one in programs] == [200] * 3
        await api.services.identity.catching_up.close()

        cognito.admin_disable_user(**which)
        assert (await programs[0].get(f"{AUTH}/me")).status_code == 200  # it was asked about a moment ago
        api.services.identity.catching_up._asked.clear()  # ten minutes have passed
        assert [(await one.get(f"{AUTH}/me")).status_code for one in programs] == [200] * 3
        await api.services.identity.catching_up.close()
        told = [(await one.get(f"{AUTH}/me")).json().get("code") for one in programs]
        assert told == ["key_invalid", "key_invalid", None]
        assert (await ada.get(f"{AUTH}/me")).json()["code"] == "session_ended"

        cognito.admin_enable_user(**which)
        assert await _log_in(api, OLD) == 200
        assert (await programs[0].get(f"{AUTH}/me")).json()["code"] == "key_invalid"
    [said] = logs.calls
    assert (said.args, said.kwargs["keys"]) == (("barred_elsewhere",), 2)


async def test_a_program_that_keeps_its_old_token_asks_the_pool_now_and_then_alone(
    pool: Pool, database: TestDatabase
) -> None:
    async with running_api(pool.settings) as api:
        ada = await pool.ada(api)
        assert await _go_on(api, ada) == 200
        pool.change(OLD, email=NEW, email_verified="true")
        assert await _go_on(api, ada) == 200
        assert _row(database, ada) == (OLD, True)
        assert await _refresh(api, ada) == 200
        assert _row(database, ada) == (NEW, True)
