"""What only a user pool says, and what becomes of it: second factors, addresses that changed there, odd input."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import psycopg
import pytest

from invokeai_saas.errors import InvalidInput
from invokeai_saas.identity.cognito.pool import Refused, _code_refused, _of_new_password
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi, Subject, running_api
from tests.aws import Aws
from tests.servers import TestDatabase

AUTH = "/api/v1/auth"
EMAIL, ELSEWHERE, NEW = "ada@example.com", "ada.lovelace@example.org", "Another-horse-8"


@dataclass
class Place:
    """An API on a user pool of its own."""

    api: RunningApi
    aws: Aws
    pool: str

    async def ada(self, *, confirmed: bool = True) -> Subject:
        ada = await self.api.person(EMAIL)
        if confirmed:
            assert await self.verify("123456") == 200
        return ada

    async def verify(self, token: str) -> int:
        body = {"token": token, "email": EMAIL}
        return (await self.api.nobody().post(f"{AUTH}/verify-email", json=body)).status_code

    def second_factor(self) -> None:
        """As somebody does on the pool's own page."""
        cognito = self.aws.client("cognito-idp")
        login = cognito.initiate_auth(
            ClientId=self.api.settings.cognito_client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": EMAIL, "PASSWORD": PASSWORD},
        )
        token = login["AuthenticationResult"]["AccessToken"]
        cognito.associate_software_token(AccessToken=token)
        cognito.verify_software_token(AccessToken=token, UserCode="123456")
        cognito.set_user_mfa_preference(
            AccessToken=token, SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True}
        )


@pytest.fixture
async def place(settings: Settings, aws: Aws) -> AsyncIterator[Place]:
    made = aws.user_pool()
    chosen = settings.model_copy(update={"aws_endpoint_url": aws.url, **made})
    async with running_api(chosen) as api:
        yield Place(api, aws, made["cognito_user_pool_id"])


async def test_who_has_a_second_factor_may_have_their_account_deleted(place: Place) -> None:
    """Their password is asked for, and it is right. The page would take a 401 for the end of the log-in."""
    ada = await place.ada()
    place.second_factor()
    wrong = await ada.post("/api/v1/privacy/deletion", json={"password": NEW})
    assert wrong.status_code == 422
    asked = await ada.post("/api/v1/privacy/deletion", json={"password": PASSWORD})
    assert asked.status_code == 202, asked.text


async def test_a_second_factor_keeps_the_password_from_being_changed_here(place: Place) -> None:
    ada = await place.ada()
    place.second_factor()
    change = {"current_password": PASSWORD, "new_password": NEW}
    refused = await ada.request("PATCH", f"{AUTH}/me", json=change)
    assert (refused.status_code, refused.json()["code"]) == (403, "challenge_not_served")
    assert (await ada.get(f"{AUTH}/me")).status_code == 200


async def test_who_has_not_confirmed_stays_logged_in_when_asked_for_the_password(place: Place) -> None:
    ada = await place.ada(confirmed=False)
    refused = await ada.post("/api/v1/privacy/deletion", json={"password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (403, "email_unconfirmed")
    assert (await ada.get(f"{AUTH}/me")).status_code == 200


async def test_a_password_is_asked_of_the_person_and_not_of_their_address(place: Place) -> None:
    ada = await place.ada()
    place.aws.client("cognito-idp").admin_update_user_attributes(
        UserPoolId=place.pool,
        Username=EMAIL,
        UserAttributes=[{"Name": "email", "Value": ELSEWHERE}, {"Name": "email_verified", "Value": "true"}],
    )
    asked = await ada.post("/api/v1/privacy/deletion", json={"password": PASSWORD})
    assert asked.status_code == 202, asked.text


async def test_a_new_password_logs_out_who_has_another_address_in_the_pool(
    place: Place, database: TestDatabase
) -> None:
    ada = await place.ada()
    place.aws.client("cognito-idp").admin_update_user_attributes(
        UserPoolId=place.pool,
        Username=EMAIL,
        UserAttributes=[{"Name": "email", "Value": ELSEWHERE}, {"Name": "email_verified", "Value": "true"}],
    )
    nobody = place.api.nobody()
    assert (await nobody.post(f"{AUTH}/forgot-password", json={"email": ELSEWHERE})).status_code == 202
    body = {"token": " 123456 ", "email": ELSEWHERE, "new_password": NEW}  # pasted, with what lay around it
    done = await nobody.post(f"{AUTH}/reset-password", json=body)
    assert done.status_code == 200, done.text
    assert (await ada.get(f"{AUTH}/me")).json()["code"] == "session_ended"
    with psycopg.connect(database.url()) as connection:
        told = connection.execute(
            "SELECT user_id FROM mail_outbox WHERE kind = 'password_changed'"
        ).fetchall()
    assert told == [(ada.user_id,)]


@pytest.mark.parametrize("code", [" ", "\t"])
async def test_no_code_is_a_bad_code(place: Place, code: str) -> None:
    await place.ada(confirmed=False)
    assert await place.verify(code) == 422


_UNFIT = "1 validation error detected: Value at '{}' failed to satisfy constraint"


def test_what_cognito_cannot_take_is_said_by_field() -> None:
    """In its own words, which moto does not have: it takes everything."""
    for value, field in (("password", "password"), ("username", "email")):
        said = _of_new_password(Refused("InvalidParameterException", _UNFIT.format(value)))
        assert isinstance(said, InvalidInput) and said.field == (field,)
    assert not _code_refused(Refused("InvalidParameterException", _UNFIT.format("confirmationCode")))
