"""Log-ins over time: the refresh cookie's swaps, how long a browser keeps it, and leaving."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie

import httpx
import jwt
import psycopg
import pytest

from invokeai_saas.identity.access import MEDIA_COOKIE, REFRESH_COOKIE
from invokeai_saas.services import local_issuer
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi, Subject
from tests.servers import TestDatabase


def _browser(api: RunningApi, secret: str) -> Subject:
    """Somebody who holds nothing but a refresh cookie."""
    subject = api.nobody()
    subject.client.cookies.set(REFRESH_COOKIE, secret)
    return subject


def _set_cookie(answer: httpx.Response, name: str) -> Morsel[str] | None:
    """The cookie as the answer sets it; None when it leaves it alone."""
    for header in answer.headers.get_list("set-cookie"):
        cookie: SimpleCookie = SimpleCookie(header)
        if name in cookie:
            return cookie[name]
    return None


def _swapped_ago(database: TestDatabase, age: timedelta) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE auth_sessions SET rotated_at = rotated_at - %s", [age])


async def _signed_in(api: RunningApi, token: str) -> bool:
    bearer = {"authorization": f"Bearer {token}"}
    return (await api.nobody().get("/api/v1/auth/me", headers=bearer)).status_code == 200


async def _refresh(subject: Subject) -> httpx.Response:
    return await subject.post("/api/v1/auth/refresh")


async def test_refresh_swaps_the_cookie(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    first = ada.client.cookies[REFRESH_COOKIE]
    answer = await _refresh(ada)
    assert await _signed_in(api, answer.json()["token"])
    assert ada.client.cookies[REFRESH_COOKIE] != first
    assert (await _refresh(ada)).status_code == 200


async def test_tabs_that_refresh_at_once_all_stay_signed_in(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    secret = ada.client.cookies[REFRESH_COOKIE]
    answers = await asyncio.gather(*[_refresh(_browser(api, secret)) for _ in range(4)])
    assert [answer.status_code for answer in answers] == [200] * 4
    assert all([await _signed_in(api, answer.json()["token"]) for answer in answers])
    # One of them swapped the cookie that all share; the others leave its successor alone.
    successors = [cookie.value for answer in answers if (cookie := _set_cookie(answer, REFRESH_COOKIE))]
    assert len(successors) == 1
    assert (await _refresh(_browser(api, successors[0]))).status_code == 200


async def test_a_swapped_secret_that_comes_back_ends_the_session(
    api: RunningApi, database: TestDatabase
) -> None:
    """Whoever comes second holds a copy, and nobody can say which of the two is the thief."""
    ada = await api.person("ada@example.com")
    stolen = ada.client.cookies[REFRESH_COOKIE]
    token = (await _refresh(ada)).json()["token"]
    _swapped_ago(database, timedelta(seconds=31))
    for subject in (_browser(api, stolen), ada):
        answer = await _refresh(subject)
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
    assert not await _signed_in(api, token)


@pytest.mark.parametrize("remember", [True, False])
async def test_a_refreshed_cookie_lasts_as_long_as_was_asked_for_at_log_in(
    api: RunningApi, remember: bool
) -> None:
    await api.person("ada@example.com")
    browser = api.nobody()
    body = {"email": "ada@example.com", "password": PASSWORD, "remember_me": remember}
    answers = [await browser.post("/api/v1/auth/login", json=body)]
    answers += [await _refresh(browser) for _ in range(2)]
    for answer in answers:
        cookie = _set_cookie(answer, REFRESH_COOKIE)
        assert cookie is not None
        assert cookie["max-age"] == ("2592000" if remember else "")


def _cleared(answer: httpx.Response) -> bool:
    cookies = [_set_cookie(answer, name) for name in (MEDIA_COOKIE, REFRESH_COOKIE)]
    return all(cookie is not None and cookie["max-age"] == "0" for cookie in cookies)


async def test_leaving_needs_no_unexpired_token(api: RunningApi, settings: Settings) -> None:
    ada = await api.person("ada@example.com")
    secret = ada.client.cookies[REFRESH_COOKIE]
    claims = jwt.decode(str(ada.token), options={"verify_signature": False})
    expired = local_issuer(settings).issue(claims["sub"], claims["origin_jti"], str(ada.user_id), -60)
    ada.client.headers["authorization"] = f"Bearer {expired}"
    answer = await ada.post("/api/v1/auth/logout")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert _cleared(answer)
    assert (await _refresh(_browser(api, secret))).status_code == 401
    assert not await _signed_in(api, str(ada.token))


async def test_leaving_with_a_token_alone_ends_the_refresh_cookie_too(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    script = api.nobody()
    bearer = {"authorization": f"Bearer {ada.token}"}
    assert (await script.post("/api/v1/auth/logout", headers=bearer)).status_code == 200
    assert (await _refresh(ada)).status_code == 401


async def test_leaving_twice_or_as_nobody_ends_nobody_elses_session(api: RunningApi) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    for subject in (ada, ada, api.nobody(), _browser(api, "no secret of anybody")):
        answer = await subject.post("/api/v1/auth/logout")
        assert answer.status_code == 200
        assert _cleared(answer)
    assert await _signed_in(api, str(bob.token))
    assert (await _refresh(bob)).status_code == 200
