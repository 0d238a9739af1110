"""What whoever keeps passwords has to do, our own database and Cognito alike, as people meet it: over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import psycopg
import pytest

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.mail.sending import Mailer
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi, running_api
from tests.aws import Aws
from tests.edge.world import troubled
from tests.mail.box import Mailbox
from tests.mail.conftest import box, mailer
from tests.servers import TestDatabase

__all__ = ["box", "mailer"]
AUTH = "/api/v1/auth"
EMAIL = "ada@example.com"
NEW = "Another-horse-8"


@pytest.fixture
def pool(settings: Settings, aws: Aws) -> Settings:
    """The suite's servers, and a user pool of this test."""
    return settings.model_copy(update={"aws_endpoint_url": aws.url, **aws.user_pool()})


@dataclass
class Kept:
    """The API, and how somebody reads what was mailed to them."""

    api: RunningApi
    mailer: Mailer
    box: Mailbox

    @property
    def cognito(self) -> bool:
        return bool(self.api.settings.cognito_user_pool_id)

    async def secret(self, purpose: str) -> dict[str, str]:
        """The body's part that proves that a mail was read. moto takes every code that it has not made itself."""
        if self.cognito:
            return {"token": "123456", "email": EMAIL}
        await asyncio.to_thread(self.mailer.send_due)
        return {"token": self.box.secret(purpose)}

    async def log_in(self, password: str, email: str = EMAIL) -> httpx.Response:
        return await self.api.nobody().post(f"{AUTH}/login", json={"email": email, "password": password})


@pytest.fixture(params=["local", "cognito"])
async def kept(
    request: pytest.FixtureRequest, settings: Settings, mailer: Mailer, box: Mailbox
) -> AsyncIterator[Kept]:
    chosen = request.getfixturevalue("pool") if request.param == "cognito" else settings
    async with running_api(chosen) as api:
        yield Kept(api, mailer, box)


async def test_who_signs_up_is_in_and_has_a_trial(kept: Kept) -> None:
    ada = await kept.api.person(EMAIL)
    assert (await ada.get(f"{AUTH}/me")).json()["email"] == EMAIL
    assert (await ada.get("/api/v1/account/summary")).json()["available"] == 500


async def test_log_in_after_the_address_is_confirmed(kept: Kept) -> None:
    ada = await kept.api.person(EMAIL)
    confirmed = await kept.api.nobody().post(f"{AUTH}/verify-email", json=await kept.secret("verify-email"))
    assert confirmed.status_code == 200, confirmed.text
    assert (await ada.get("/api/v1/account/contact")).json()["email_verified"]
    again = await kept.log_in(PASSWORD)
    assert again.status_code == 200, again.text
    assert again.json()["user"]["user_id"] == str(ada.user_id)


async def test_wrong_password_and_unknown_address_look_the_same(kept: Kept) -> None:
    await kept.api.person(EMAIL)
    await kept.api.nobody().post(f"{AUTH}/verify-email", json=await kept.secret("verify-email"))
    answers = [await kept.log_in(NEW), await kept.log_in(PASSWORD, "nobody@example.com")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()


async def test_an_address_signs_up_once(kept: Kept) -> None:
    await kept.api.person(EMAIL)
    again = await kept.api.nobody().post(f"{AUTH}/sign-up", json={"email": EMAIL, "password": NEW})
    assert again.status_code == 409
    assert again.json()["code"] == "email_taken"


async def test_a_new_password_needs_the_old_one_and_ends_other_sessions(kept: Kept) -> None:
    ada = await kept.api.person(EMAIL)
    await kept.api.nobody().post(f"{AUTH}/verify-email", json=await kept.secret("verify-email"))
    other = (await kept.log_in(PASSWORD)).json()["token"]
    wrong = await ada.request(
        "PATCH", f"{AUTH}/me", json={"current_password": NEW, "new_password": "Third-horse-99"}
    )
    assert wrong.status_code == 422
    right = await ada.request("PATCH", f"{AUTH}/me", json={"current_password": PASSWORD, "new_password": NEW})
    assert right.status_code == 200, right.text
    ended = await kept.api.nobody().get(f"{AUTH}/me", headers={"authorization": f"Bearer {other}"})
    assert ended.status_code == 401
    assert (await kept.log_in(PASSWORD)).status_code == 401
    assert (await kept.log_in(NEW)).status_code == 200
    assert kept.box.kinds(ada.user_id).count("password_changed") == 1  # type: ignore[arg-type]


async def test_a_new_name_sends_no_mail(kept: Kept) -> None:
    ada = await kept.api.person(EMAIL)
    named = await ada.request("PATCH", f"{AUTH}/me", json={"display_name": "Ada L."})
    assert named.status_code == 200, named.text
    assert "password_changed" not in kept.box.kinds(ada.user_id)  # type: ignore[arg-type]


async def test_a_forgotten_password_is_set_anew(kept: Kept) -> None:
    ada = await kept.api.person(EMAIL)
    await kept.api.nobody().post(f"{AUTH}/verify-email", json=await kept.secret("verify-email"))
    asked = await kept.api.nobody().post(f"{AUTH}/forgot-password", json={"email": EMAIL})
    stranger = await kept.api.nobody().post(f"{AUTH}/forgot-password", json={"email": "nobody@example.com"})
    assert (
        (asked.status_code, asked.json())
        == (stranger.status_code, stranger.json())
        == (202, {"success": True})
    )
    body = {**await kept.secret("reset-password"), "new_password": NEW}
    done = await kept.api.nobody().post(f"{AUTH}/reset-password", json=body)
    assert done.status_code == 200, done.text
    assert (await ada.get(f"{AUTH}/me")).status_code == 401  # logged out everywhere
    assert kept.box.kinds(ada.user_id).count("password_changed") == 1  # type: ignore[arg-type]
    assert (await kept.log_in(NEW)).status_code == 200
    assert (await kept.log_in(PASSWORD)).status_code == 401


async def test_a_bad_secret_sets_no_password(kept: Kept) -> None:
    ada = await kept.api.person(EMAIL)
    await kept.api.nobody().post(f"{AUTH}/forgot-password", json={"email": EMAIL})
    body = {"token": "moto-confirmation-code:1", "email": EMAIL, "new_password": NEW}
    refused = await kept.api.nobody().post(f"{AUTH}/reset-password", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "link_invalid")
    assert "password_changed" not in kept.box.kinds(ada.user_id)  # type: ignore[arg-type]


async def test_who_was_locked_out_is_told_nothing_more(kept: Kept, database: TestDatabase) -> None:
    await kept.api.person(EMAIL)
    await kept.api.nobody().post(f"{AUTH}/verify-email", json=await kept.secret("verify-email"))
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute("UPDATE users SET is_active = false WHERE email = %s", [EMAIL])
    assert (await kept.log_in(PASSWORD)).json()["code"] == "wrong_credentials"


# Cognito alone


async def test_who_signed_up_at_cognito_is_added_at_the_first_log_in(
    pool: Settings, aws: Aws, box: Mailbox
) -> None:
    cognito, client = aws.client("cognito-idp"), pool.cognito_client_id
    cognito.sign_up(ClientId=client, Username=EMAIL, Password=PASSWORD)
    async with running_api(pool) as api:
        login = {"email": EMAIL, "password": PASSWORD}
        before = await api.nobody().post(f"{AUTH}/login", json=login)
        assert (before.status_code, before.json()["code"]) == (401, "email_unconfirmed")
        cognito.confirm_sign_up(ClientId=client, Username=EMAIL, ConfirmationCode="1")
        cognito.admin_update_user_attributes(  # as a code that was mailed does
            UserPoolId=pool.cognito_user_pool_id,
            Username=EMAIL,
            UserAttributes=[{"Name": "email_verified", "Value": "true"}],
        )
        first = await api.nobody().post(f"{AUTH}/login", json=login)
        again = await api.nobody().post(f"{AUTH}/login", json=login)
    assert first.status_code == 200, first.text
    assert again.json()["user"]["user_id"] == first.json()["user"]["user_id"]
    assert box.kinds(UUID(first.json()["user"]["user_id"])) == ["welcome"]


async def test_somebody_elses_row_is_not_taken_over(pool: Settings, aws: Aws, database: TestDatabase) -> None:
    """Another `sub` with the same address is not the same person, until an operator says so."""
    cognito, client = aws.client("cognito-idp"), pool.cognito_client_id
    async with running_api(pool) as api:
        await api.person(EMAIL)
        with psycopg.connect(database.url(), autocommit=True) as connection:
            connection.execute("UPDATE users SET cognito_sub = 'another' WHERE email = %s", [EMAIL])
        cognito.confirm_sign_up(ClientId=client, Username=EMAIL, ConfirmationCode="1")
        login = await api.nobody().post(f"{AUTH}/login", json={"email": EMAIL, "password": PASSWORD})
    assert (login.status_code, login.json()["code"]) == (409, "email_taken")


async def test_a_code_needs_its_address(pool: Settings) -> None:
    async with running_api(pool) as api:
        refused = await api.nobody().post(f"{AUTH}/verify-email", json={"token": "123456"})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"][-1] == "email"


async def test_the_pools_own_rule_for_passwords_is_told(pool: Settings) -> None:
    async with running_api(pool) as api:
        refused = await api.nobody().post(f"{AUTH}/sign-up", json={"email": EMAIL, "password": "Short-8x"})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"][-1] == "password"


async def test_cognito_being_away_lets_nobody_in_and_those_who_are_in_stay(pool: Settings) -> None:
    gone = pool.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{free_port()}"})
    async with running_api(pool) as api:
        ada = await api.person(EMAIL)
        async with running_api(gone) as cut_off:
            assert ada.token is not None
            stays = await cut_off.nobody().get(f"{AUTH}/me", headers={"authorization": f"Bearer {ada.token}"})
            assert stays.status_code == 200
            login = await cut_off.nobody().post(f"{AUTH}/login", json={"email": EMAIL, "password": PASSWORD})
    assert (login.status_code, "retry-after" in login.headers) == (503, True)


async def test_the_pages_ask_for_a_code_where_mails_carry_one(kept: Kept) -> None:
    for page in ("/verify-email", "/reset-password"):
        shown = (await kept.api.nobody().get(page)).text
        assert ('name="code"' in shown, "data-codes" in shown) == (kept.cognito, kept.cognito)


async def test_an_answer_that_is_lost_is_no_fault_of_ours(pool: Settings, aws: Aws) -> None:
    with troubled(aws, *["lost"] * 2) as way:  # the library asks twice
        async with running_api(pool.model_copy(update={"aws_endpoint_url": way})) as api:
            body = {"email": EMAIL, "password": PASSWORD}
            answer = await api.nobody().post(f"{AUTH}/login", json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
