"""Logging in on the user pool's own page: what people get, and what attackers do not."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import psycopg
import pytest

from invokeai_saas.errors import SetupError
from invokeai_saas.identity.access import HOSTED_COOKIE, MEDIA_COOKIE, REFRESH_COOKIE
from invokeai_saas.identity.cognito.hosted import HostedPages
from invokeai_saas.identity.hashes import KeyedHashes
from invokeai_saas.identity.hosted.endpoints import COOKIE
from invokeai_saas.services import check_settings
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi, running_api
from tests.hosted_server import HostedPool, challenge
from tests.identity.hosted.conftest import EMAIL, Place
from tests.portal.html import assert_own_page
from tests.servers import TestDatabase

AUTH = "/api/v1/auth"
STALE, AWAY = "log_in_stale", "unavailable"


def _query(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def _with(address: str, **changes: str) -> str:
    return f"{address.partition('?')[0]}?{urlencode({**_query(address), **changes})}"


def _refused(answer: httpx.Response, problem: str) -> None:
    """Nobody is logged in, nothing is kept of the try, and the log-in page says why."""
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?problem={problem}"
    cookies = answer.headers.get_list("set-cookie")
    assert [one.partition("=")[0] for one in cookies] == [COOKIE] and "Max-Age=0" in cookies[0]


def _people(database: TestDatabase) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.url()) as connection:
        return connection.execute(
            "SELECT email, cognito_sub, email_verified_at IS NOT NULL FROM users"
        ).fetchall()


# What people get


async def test_who_is_new_gets_an_account_with_a_trial_and_is_in(
    place: Place, database: TestDatabase
) -> None:
    sub = place.add()
    ada = place.browser()
    done = await ada.log_in()
    assert (done.status_code, done.headers["location"]) == (303, "/login/done")
    assert done.headers["cache-control"] == "no-store" and done.headers["referrer-policy"] == "no-referrer"
    assert _people(database) == [(EMAIL, sub, True)]
    bearer = {"authorization": f"Bearer {await ada.token()}"}
    assert (await ada.service.get(f"{AUTH}/me", headers=bearer)).json()["email"] == EMAIL
    assert (await ada.service.get("/api/v1/account/summary", headers=bearer)).json()["available"] == 500
    page = await ada.service.get("/login/done")
    assert_own_page(page)
    assert "/portal/entering.js" in page.text


async def test_it_is_the_same_person_as_with_the_password(place: Place) -> None:
    signed_up = await place.api.person(EMAIL)
    place.pool.aws.client("cognito-idp").admin_confirm_sign_up(UserPoolId=place.pool.pool, Username=EMAIL)
    place.pool.aws.client("cognito-idp").admin_update_user_attributes(
        UserPoolId=place.pool.pool,
        Username=EMAIL,
        UserAttributes=[{"Name": "email_verified", "Value": "true"}],
    )
    ada = place.browser()
    for _ in range(2):
        assert (await ada.log_in()).headers["location"] == "/login/done"
    me = await ada.service.get(f"{AUTH}/me", headers={"authorization": f"Bearer {await ada.token()}"})
    assert me.json()["user_id"] == str(signed_up.user_id)
    contact = await signed_up.get("/api/v1/account/contact")
    assert contact.json()[
        "email_verified"
    ]  # the pool has confirmed it: the page there asks for the code as well


async def test_cookies_are_as_of_a_log_in_and_end_with_the_browser(place: Place) -> None:
    place.add()
    ada = place.browser()
    begun = await ada.service.get("/login/hosted")
    [kept] = begun.headers.get_list("set-cookie")
    assert kept.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/login"} <= set(kept.split("; "))
    done = await ada.open(await ada.fill_in(begun.headers["location"]))
    cookies = {one.partition("=")[0]: set(one.split("; ")[1:]) for one in done.headers.get_list("set-cookie")}
    assert set(cookies) == {COOKIE, MEDIA_COOKIE, REFRESH_COOKIE, HOSTED_COOKIE}
    assert "Max-Age=0" in cookies[COOKIE]
    assert cookies[REFRESH_COOKIE] == {"HttpOnly", "Path=/api/v1/auth", "SameSite=strict"}
    assert cookies[HOSTED_COOKIE] == {"HttpOnly", "Path=/api/v1/auth", "SameSite=strict"}


async def test_cookies_are_secure_where_people_come_by_https(settings: Settings, pool: HostedPool) -> None:
    there = "https://invokeai.example.com"
    pool.callbacks = {f"{there}/login/callback"}
    changed = {"public_url": there, **pool.settings()}
    async with running_api(settings.model_copy(update=changed)) as api:
        place = Place(api, pool)
        place.add()
        ada = place.browser()
        begun = await ada.service.get("/login/hosted")
        done = await ada.open(await ada.fill_in(begun.headers["location"]))
    cookies = [*begun.headers.get_list("set-cookie"), *done.headers.get_list("set-cookie")]
    assert len(cookies) == 5
    assert all("Secure" in one for one in cookies if "Max-Age=0" not in one)


async def test_the_verifier_is_never_in_the_browser(place: Place) -> None:
    place.add()
    ada = place.browser()
    left = await ada.leave()
    kept = ada.service.client.cookies[COOKIE]
    back = await ada.fill_in(left)
    await ada.open(back)
    [verifier] = place.pool.verifiers
    asked = _query(left)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", verifier)
    assert asked["code_challenge"] == challenge(verifier) and asked["code_challenge_method"] == "S256"
    assert len({verifier, asked["state"], asked["nonce"], kept}) == 4
    assert verifier not in left + kept + back and asked["nonce"] not in kept
    assert (asked["scope"], asked["response_type"]) == ("openid email", "code")
    assert await ada.leave() != left


async def test_logging_out_ends_the_log_in_at_the_pool(place: Place) -> None:
    place.add()
    ada = place.browser()
    await ada.log_in()
    assert (
        urlsplit(await ada.fill_in(await ada.leave(), password="none is asked for")).path == "/login/callback"
    )
    answer = await ada.service.post(f"{AUTH}/logout")
    assert answer.json()["success"] is True
    gone = await ada.elsewhere.get(answer.json()["next"])
    assert (gone.status_code, gone.headers["location"]) == (302, f"{place.api.settings.public_url}/login")
    assert place.pool.sessions == {}
    assert (await ada.service.post(f"{AUTH}/refresh")).status_code == 401
    assert (await ada.service.post(f"{AUTH}/logout")).json() == {
        "success": True
    }  # there is nothing left to end


async def test_who_logged_in_by_password_has_nothing_to_end_elsewhere(place: Place) -> None:
    ada = await place.api.person(EMAIL)
    assert (await ada.post(f"{AUTH}/logout")).json() == {"success": True}


async def test_swapped_keys_are_followed(place: Place) -> None:
    place.add()
    assert (await place.browser().log_in()).headers["location"] == "/login/done"
    place.pool.rotate()
    place.api.services.hosted._credentials._tokens._tried = float("-inf")  # type: ignore[union-attr]  # ten seconds later
    assert (await place.browser().log_in()).headers["location"] == "/login/done"


@pytest.mark.parametrize(("language", "word"), [("en", "Sign in"), ("ko", "로그인")])
async def test_our_pages_offer_it_in_both_languages(place: Place, language: str, word: str) -> None:
    visitor = place.api.nobody()
    headers = {"accept-language": language}
    offer = (await visitor.get("/login/offer", headers=headers)).json()
    assert offer["href"] == "/login/hosted" and word in offer["label"] and offer["problem"] is None
    page = await visitor.get("/signup", headers=headers)
    assert_own_page(page)
    assert 'href="/login/hosted"' in page.text and offer["label"] in page.text
    told = (await visitor.get(f"/login/offer?problem={STALE}", headers=headers)).json()["problem"]
    assert (
        told
        and told != (await visitor.get(f"/login/offer?problem={AWAY}", headers=headers)).json()["problem"]
    )
    made_up = (await visitor.get("/login/offer?problem=%3Cscript%3E", headers=headers)).json()
    assert made_up["problem"] is None
    assert f"lang={language}" in (await visitor.get("/login/hosted", headers=headers)).headers["location"]


async def test_where_it_is_not_set_up_it_is_not_there(api: RunningApi) -> None:
    visitor = api.nobody()
    assert (await visitor.get("/login/offer")).json() == {"href": None, "label": None, "problem": None}
    for path in ("/login/hosted", "/login/callback?code=x&state=y", "/login/done"):
        assert (await visitor.get(path)).status_code == 404
    assert "/login/hosted" not in (await visitor.get("/signup")).text


# What comes to nothing, and is said


async def test_who_leaves_the_page_is_told_so(place: Place) -> None:
    place.add()
    ada = place.browser()
    _refused(await ada.open(await ada.way_back(cancel="yes")), "log_in_denied")


@pytest.mark.parametrize("error", ["server_error", "invalid_scope", "<b>"])
async def test_other_errors_of_the_page_are_told_as_such(place: Place, error: str) -> None:
    ada = place.browser()
    state = _query(await ada.leave())["state"]
    back = f"/login/callback?{urlencode({'error': error, 'error_description': 'x', 'state': state})}"
    _refused(await ada.open(back), AWAY)


@pytest.mark.parametrize("status", [500, 503, 401])
async def test_a_pool_that_is_out_of_order_is_told_as_such(place: Place, status: int) -> None:
    place.add()
    place.pool.status = status
    _refused(await place.browser().log_in(), AWAY)


async def test_a_pool_that_is_away_is_told_as_such(place: Place, settings: Settings) -> None:
    from invokeai_saas.embedded.ports import free_port

    nowhere = {**place.pool.settings(), "cognito_hosted_url": f"http://127.0.0.1:{free_port()}"}
    async with running_api(settings.model_copy(update=nowhere)) as api:
        ada = Place(api, place.pool).browser()
        state = _query(await ada.leave())["state"]
        _refused(await ada.open(f"/login/callback?{urlencode({'code': 'x', 'state': state})}"), AWAY)


async def test_an_address_that_is_not_confirmed_makes_no_account(
    place: Place, database: TestDatabase
) -> None:
    place.add(verified=False)
    _refused(await place.browser().log_in(), "email_unconfirmed")
    assert _people(database) == []


async def test_somebody_elses_row_is_not_taken_over(place: Place, database: TestDatabase) -> None:
    place.add()
    await place.browser().log_in()
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute("UPDATE users SET cognito_sub = 'another'")
    _refused(await place.browser().log_in(), "email_taken")
    assert _people(database) == [(EMAIL, "another", True)]


async def test_a_closed_account_stays_closed(place: Place, database: TestDatabase) -> None:
    place.add()
    await place.browser().log_in()
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute("UPDATE users SET is_active = false")
    _refused(await place.browser().log_in(), "account_closed")


async def test_whoever_took_too_long_begins_again(place: Place, settings: Settings) -> None:
    """The end is part of what the state is made of: it cannot be put off."""
    place.add()
    hashes = KeyedHashes(settings.identity_secret.get_secret_value())
    ada = place.browser()
    for seconds, stale in ((-1, True), (60, False)):
        back = await ada.way_back()
        kept = f"{secrets.token_urlsafe(32)}.{int(time.time()) + seconds}"
        ada.service.client.cookies.set(COOKIE, kept, domain="127.0.0.1", path="/login")
        answer = await ada.open(_with(back, state=hashes.derived("hosted-state", kept)))
        _refused(answer, STALE)  # the second one for its code, which was begun with another verifier
        assert (len(place.pool.codes) == 1) is stale  # nothing was exchanged where it was too late
        place.pool.codes.clear()


# Attacks


async def test_a_state_of_another_browser_is_refused(place: Place, database: TestDatabase) -> None:
    """Eve has Ada's browser finish Eve's log-in: Ada would work, and pay, in Eve's account."""
    place.add("eve@example.com")
    eve, ada = place.browser(), place.browser()
    back = await eve.way_back("eve@example.com")
    _refused(await ada.open(back), STALE)
    await ada.leave()  # also when one of her own is under way
    _refused(await ada.open(back), STALE)
    assert len(place.pool.codes) == 1  # the pool was not even asked
    assert _people(database) == []


async def test_a_code_of_another_log_in_is_refused(place: Place, database: TestDatabase) -> None:
    """Eve has come by Ada's code, or gives Ada hers: its verifier is of another log-in."""
    for name in ("eve@example.com", EMAIL):
        place.add(name)
    eve, ada = place.browser(), place.browser()
    stolen = _query(await ada.way_back())["code"]
    _refused(await eve.open(_with(await eve.way_back("eve@example.com"), code=stolen)), STALE)
    planted = _query(await eve.way_back("eve@example.com"))["code"]
    _refused(await ada.open(_with(await ada.way_back(), code=planted)), STALE)
    assert place.pool.verifiers == [] and _people(database) == []


async def test_without_the_cookie_nothing_is_exchanged(place: Place) -> None:
    place.add()
    ada = place.browser()
    back = await ada.way_back()
    kept = ada.service.client.cookies[COOKIE]
    for cookie in (None, "", "x", f"{kept}0", kept.rpartition(".")[0] + ".99999999999"):
        ada.service.client.cookies.clear()
        if cookie is not None:
            ada.service.client.cookies.set(COOKIE, cookie, domain="127.0.0.1", path="/login")
        _refused(await ada.open(back), STALE)
    assert len(place.pool.codes) == 1


async def test_a_callback_is_good_once(place: Place) -> None:
    place.add()
    ada = place.browser()
    back = await ada.way_back()
    kept = ada.service.client.cookies[COOKIE]
    assert (await ada.open(back)).headers["location"] == "/login/done"
    _refused(await ada.open(back), STALE)  # the cookie is gone
    ada.service.client.cookies.set(COOKIE, kept, domain="127.0.0.1", path="/login")
    _refused(await ada.open(back), STALE)  # and so is the code


@pytest.mark.parametrize(
    "query", ["", "state=x", "code=x", "state=%00&code=x", "state=%F0%9F&code=%ED%A0%80", "error=x"]
)
async def test_what_is_no_answer_is_refused(place: Place, query: str) -> None:
    ada = place.browser()
    _refused(await ada.open(f"/login/callback?{query}"), STALE)
    state = _query(await ada.leave())["state"]
    _refused(await ada.open(f"/login/callback?state={state}"), STALE)


@pytest.mark.parametrize(
    "claims",
    [
        {"id": {"nonce": "of another log-in"}},
        {"id": {"nonce": None}},
        {"id": {"aud": "another client"}},
        {"id": {"iss": "https://cognito-idp.ap-northeast-2.amazonaws.com/ap-northeast-2_Another"}},
        {"id": {"token_use": "access"}},
        {"id": {"exp": int(time.time()) - 3600}},
        {"id": {"sub": "somebody else"}},
        {"access": {"client_id": "another client"}},
        {"access": {"iss": "https://cognito-idp.ap-northeast-2.amazonaws.com/ap-northeast-2_Another"}},
        {"access": {"token_use": "id"}},
        {"access": {"exp": int(time.time()) - 3600}},
        {"access": {"sub": "somebody else"}},
    ],
    ids=lambda claims: "-".join(f"{use}-{next(iter(changed))}" for use, changed in claims.items()),
)
async def test_tokens_that_do_not_fit_are_refused(
    place: Place, database: TestDatabase, claims: dict[str, dict[str, Any]]
) -> None:
    place.add()
    place.pool.claims = claims
    _refused(await place.browser().log_in(), claims_problem(claims))
    assert _people(database) == []


def claims_problem(claims: dict[str, dict[str, Any]]) -> str:
    """An old access token has a code of its own; the log-in page says the same of both."""
    return "token_expired" if "exp" in claims.get("access", {}) else "token_invalid"


async def test_a_token_signed_by_another_key_is_refused(place: Place, database: TestDatabase) -> None:
    """With the id of a key that the pool publishes."""
    place.add()
    await place.browser().log_in()
    key_id, _ = place.pool._keys[-1]
    published = place.pool.jwks()
    place.pool.rotate()
    place.pool._keys = [(key_id, place.pool._keys[-1][1])]
    place.pool.jwks = lambda: published  # type: ignore[method-assign]
    before = _people(database)
    _refused(await place.browser().log_in(), "token_invalid")
    assert _people(database) == before


async def test_it_leads_nowhere_that_a_request_names(place: Place) -> None:
    place.add()
    ada = place.browser()
    wishes = "next=https://evil.example&redirect_uri=https://evil.example&logout_uri=https://evil.example"
    left = (await ada.service.get(f"/login/hosted?{wishes}", headers={"host": "evil.example"})).headers[
        "location"
    ]
    assert "evil" not in left and left.startswith(f"{place.pool.url}/oauth2/authorize?")
    done = await ada.open(f"{await ada.fill_in(left)}&{wishes}")
    assert done.headers["location"] == "/login/done"
    assert "evil" not in (await ada.service.post(f"{AUTH}/logout?{wishes}")).json()["next"]


async def test_tries_are_limited_by_address(settings: Settings, pool: HostedPool) -> None:
    limited = settings.model_copy(update={**pool.settings(), "login_attempts_per_address": 2})
    address = ".".join(str(secrets.randbelow(256)) for _ in range(3))
    async with running_api(limited) as api:
        transport = httpx.ASGITransport(app=api.app, client=(f"10.{address}", 1), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=settings.public_url) as client:
            for path in ("/login/hosted", "/login/callback"):
                answers = [await client.get(path) for _ in range(3)]
                assert [answer.status_code for answer in answers] == [303, 303, 429]
                assert "retry-after" in answers[-1].headers
            body = {"email": EMAIL, "password": PASSWORD}
            assert (
                await client.post(f"{AUTH}/login", json=body)
            ).status_code == 429  # they are counted together


# Settings


@pytest.mark.parametrize(
    "url",
    [
        "http://pages.example.com",
        "https://pages.example.com/login",
        "pages.example.com",
        "https://",
        "https://a?b=c",
    ],
)
def test_an_address_that_is_no_pools_domain_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(SetupError, match="COGNITO_HOSTED_URL"):
        HostedPages(settings.model_copy(update={"cognito_hosted_url": url}))


def test_pages_without_a_pool_are_refused(settings: Settings) -> None:
    with pytest.raises(SetupError, match="COGNITO_USER_POOL_ID"):
        check_settings(settings.model_copy(update={"cognito_hosted_url": "https://pages.example.com"}))
