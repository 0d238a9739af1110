"""The stand-in itself: what it would let pass, no test of ours could find."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

from tests.hosted_server import HostedPool, challenge
from tests.identity.hosted.conftest import Browser, Place


def _query(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


async def _exchange(browser: Browser, pool: HostedPool, code: str, **changes: str) -> tuple[int, str]:
    sent = {
        "grant_type": "authorization_code",
        "client_id": pool.client,
        "code": code,
        "redirect_uri": next(iter(pool.callbacks)),
        "code_verifier": "v" * 43,
    }
    answer = await browser.elsewhere.post("/oauth2/token", data=sent | changes)
    return answer.status_code, answer.json().get("error", "")


def _asked(pool: HostedPool, **changes: str) -> str:
    asked = {
        "response_type": "code", "client_id": pool.client, "redirect_uri": next(iter(pool.callbacks)),
        "scope": "openid email", "state": "s", "nonce": "n", "code_challenge": challenge("v" * 43),
        "code_challenge_method": "S256",
    }  # fmt: skip
    return f"/oauth2/authorize?{urlencode(asked | changes)}"


async def test_the_stand_in_exchanges_a_code_once_for_its_verifier_client_and_address(place: Place) -> None:
    place.add()
    ada = place.browser()

    async def code() -> str:
        return _query(await ada.fill_in(_asked(place.pool)))["code"]

    refused = (400, "invalid_grant")
    assert await _exchange(ada, place.pool, await code(), code_verifier="w" * 43) == refused
    assert await _exchange(ada, place.pool, await code(), code_verifier="v" * 42) == refused
    assert await _exchange(ada, place.pool, await code(), redirect_uri="https://evil.example") == refused
    assert await _exchange(ada, place.pool, await code(), client_id="another") == (400, "invalid_client")
    assert await _exchange(ada, place.pool, await code(), grant_type="refresh_token") == (
        400,
        "unsupported_grant_type",
    )
    good = await code()
    assert await _exchange(ada, place.pool, good) == (200, "")
    assert await _exchange(ada, place.pool, good) == refused


async def test_the_stand_in_sends_nobody_where_the_client_is_not(place: Place) -> None:
    ada = place.browser()
    for wrong in ({"client_id": "another"}, {"redirect_uri": "https://evil.example"}):
        assert (await ada.elsewhere.get(_asked(place.pool, **wrong))).status_code == 400
    for wrong in (
        {"response_type": "token"},
        {"scope": "openid profile"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"nonce": ""},
        {"prompt": "none"},
    ):
        answer = await ada.elsewhere.get(_asked(place.pool, **wrong))
        assert answer.status_code == 302 and "error" in _query(answer.headers["location"]), wrong
    wrong_exit = urlencode({"client_id": place.pool.client, "logout_uri": "https://evil.example"})
    assert (await ada.elsewhere.get(f"/logout?{wrong_exit}")).status_code == 400
