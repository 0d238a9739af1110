"""Limits of log-in and sign-up: by account, by address, and by the address that really asks."""

from __future__ import annotations

import secrets
from pathlib import Path

import httpx
import pytest

from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi, running_api
from tests.apps import live_api as serve
from tests.servers import TestDatabase


@pytest.fixture
def limited(database: TestDatabase, tmp_path: Path) -> Settings:
    """Two tries at one account from one address, three of an account or an address, three sign-ups."""
    return database.settings(
        tmp_path,
        login_attempts_per_minute=2,
        login_attempts_per_address=3,
        login_attempts_per_account=3,
        sign_ups_per_hour=3,
    )


def _address() -> str:
    """An address that no other test counts for: the suite's Valkey outlives its databases."""
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


def _from(api: RunningApi, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=api.app, client=(address, 1), raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url=api.settings.public_url)
    api.clients.append(client)
    return client


async def _log_in(client: httpx.AsyncClient, email: str, **headers: str) -> int:
    body = {"email": email, "password": "Wrong-pass-1"}
    return (await client.post("/api/v1/auth/login", json=body, headers=headers)).status_code


async def _sign_up(client: httpx.AsyncClient) -> httpx.Response:
    email = f"{secrets.token_hex(8)}@example.com"
    return await client.post("/api/v1/auth/sign-up", json={"email": email, "password": PASSWORD})


async def test_log_in_is_limited_per_account_and_address(limited: Settings) -> None:
    """One who hammers at an account from one address does not lock its owner out."""
    email = f"{secrets.token_hex(8)}@example.com"
    async with running_api(limited) as api:
        client = _from(api, _address())
        assert [await _log_in(client, email) for _ in range(3)] == [401, 401, 429]
        assert await _log_in(_from(api, _address()), email) == 401


async def test_an_account_is_limited_wherever_the_tries_come_from(limited: Settings) -> None:
    email = f"{secrets.token_hex(8)}@example.com"
    async with running_api(limited) as api:
        typed = [email, email.upper(), f" {email}", email]
        assert [await _log_in(_from(api, _address()), e) for e in typed] == [401, 401, 401, 429]


async def test_an_address_is_limited_whatever_account_it_tries(limited: Settings) -> None:
    async with running_api(limited) as api:
        client, other = _from(api, _address()), _from(api, _address())
        emails = [f"{secrets.token_hex(8)}@example.com" for _ in range(5)]
        assert [await _log_in(client, email) for email in emails] == [401, 401, 401, 429, 429]
        assert await _log_in(other, emails[-1]) == 401  # which used up nothing of that account
        answer = await client.post("/api/v1/auth/login", json={"email": emails[0], "password": "x"})
        assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_a_network_of_ipv6_counts_as_one_address(limited: Settings) -> None:
    network = f"2001:db8:{secrets.randbelow(2**16):x}:{secrets.randbelow(2**16):x}"
    async with running_api(limited) as api:
        codes = [
            await _log_in(_from(api, f"{network}::{n:x}"), f"{secrets.token_hex(8)}@example.com")
            for n in range(1, 5)
        ]
    assert codes == [401, 401, 401, 429]


async def test_sign_ups_are_limited_by_address_and_apart_from_log_ins(limited: Settings) -> None:
    async with running_api(limited) as api:
        client = _from(api, _address())
        answers = [await _sign_up(client) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
        assert 60 < int(answers[-1].headers["retry-after"]) <= 3600
        assert (await _sign_up(_from(api, _address()))).status_code == 201
        assert await _log_in(client, f"{secrets.token_hex(8)}@example.com") == 401


@pytest.mark.parametrize(("proxies", "last"), [("", 429), ("127.0.0.1", 401)])
async def test_forwarded_addresses_are_believed_from_our_proxies_alone(
    limited: Settings, proxies: str, last: int
) -> None:
    """Over a real port: one account each time, so that only addresses are counted."""
    async with serve(limited.model_copy(update={"trusted_proxies": proxies})) as api:
        client = api.nobody().client
        codes = [
            await _log_in(client, f"{secrets.token_hex(8)}@example.com", **{"X-Forwarded-For": _address()})
            for _ in range(4)
        ]
        assert codes[-1] == last
