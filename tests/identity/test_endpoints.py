"""Sign-up, log-in, sessions and the auth routes of InvokeAI's page."""

from __future__ import annotations

import jwt
import psycopg
import pytest

from invokeai_saas.identity.access import MEDIA_COOKIE, REFRESH_COOKIE
from invokeai_saas.services import local_issuer
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, RunningApi
from tests.servers import TestDatabase


async def test_sign_up_starts_the_trial(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("Ada@Example.com")
    me = (await ada.get("/api/v1/auth/me")).json()
    assert me["email"] == "ada@example.com"
    assert me["is_admin"] is False
    with psycopg.connect(database.url()) as connection:
        row = connection.execute(
            "SELECT p.slug, s.status, s.current_period_end - s.current_period_start = interval '7 days',"
            " c.total_credits, c.valid_until = s.current_period_end"
            " FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.plan_id"
            " JOIN credits c USING (user_id) WHERE s.user_id = %s",
            [ada.user_id],
        ).fetchone()
    assert row == ("trial", "trialing", True, 500, True)


async def test_an_address_signs_up_once(api: RunningApi) -> None:
    await api.person("ada@example.com")
    again = await api.nobody().post(
        "/api/v1/auth/sign-up", json={"email": "ADA@example.com", "password": PASSWORD}
    )
    assert again.status_code == 409
    assert again.json()["code"] == "email_taken"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "not an address", "password": PASSWORD}, "email"),
        ({"email": "a@example.com", "password": "short"}, "password"),
        ({"email": "a@example.com", "password": "nouppercase1"}, "password"),
        ({"email": "a@example.com"}, "password"),
        ({"email": "a@example.com", "password": "Aa1" + "x" * 2_000_000}, "password"),
    ],
)
async def test_bad_sign_ups_name_the_field(api: RunningApi, body: dict[str, str], field: str) -> None:
    answer = await api.nobody().post("/api/v1/auth/sign-up", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][-1] == field
    assert len(answer.content) < 2_000


async def test_log_in_and_out(api: RunningApi) -> None:
    await api.person("ada@example.com")
    visitor = api.nobody()
    answer = await visitor.post(
        "/api/v1/auth/login", json={"email": "ada@example.com", "password": PASSWORD, "remember_me": True}
    )
    assert answer.status_code == 200
    bearer = {"authorization": f"Bearer {answer.json()['token']}"}
    assert (await visitor.get("/api/v1/auth/me", headers=bearer)).status_code == 200
    assert (await visitor.post("/api/v1/auth/logout", headers=bearer)).status_code == 200
    ended = await visitor.get("/api/v1/auth/me", headers=bearer)
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
async def test_wrong_password_and_unknown_person_look_the_same(api: RunningApi, email: str) -> None:
    await api.person("ada@example.com")
    answer = await api.nobody().post("/api/v1/auth/login", json={"email": email, "password": "Wrong-pass-1"})
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Incorrect email or password.", "code": "wrong_credentials"}


async def test_cookies_are_http_only_and_scoped(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    login = await ada.post("/api/v1/auth/login", json={"email": "ada@example.com", "password": PASSWORD})
    cookies = {c.split("=")[0]: c.lower() for c in login.headers.get_list("set-cookie")}
    assert "httponly" in cookies[MEDIA_COOKIE] and "path=/api;" in cookies[MEDIA_COOKIE]
    assert "httponly" in cookies[REFRESH_COOKIE] and "samesite=strict" in cookies[REFRESH_COOKIE]


async def test_a_media_token_is_no_access_token(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    media = ada.client.cookies[MEDIA_COOKIE]
    answer = await api.nobody().get("/api/v1/auth/me", headers={"authorization": f"Bearer {media}"})
    assert answer.json()["code"] == "token_invalid"


async def test_tokens_carry_cognitos_claims(api: RunningApi, settings: Settings) -> None:
    ada = await api.person("ada@example.com")
    claims = jwt.decode(str(ada.token), options={"verify_signature": False})
    assert claims["token_use"] == "access"
    assert claims["client_id"] == settings.cognito_client_id
    assert "aud" not in claims
    assert claims["sub"] != str(ada.user_id)


async def test_expired_forged_and_foreign_tokens_are_refused(api: RunningApi, settings: Settings) -> None:
    ada = await api.person("ada@example.com")
    claims = jwt.decode(str(ada.token), options={"verify_signature": False})
    issuer = local_issuer(settings)
    expired = issuer.issue(claims["sub"], claims["origin_jti"], str(ada.user_id), -60)
    kid = jwt.get_unverified_header(str(ada.token))["kid"]
    forged = jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": kid})
    elsewhere = str(ada.token)[:-4] + "AAAA"
    for token, code in [(expired, "token_expired"), (forged, "token_invalid"), (elsewhere, "token_invalid")]:
        answer = await api.nobody().get("/api/v1/auth/me", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (401, code)


async def test_a_stale_token_is_replaced_in_passing(api: RunningApi, settings: Settings) -> None:
    ada = await api.person("ada@example.com")
    claims = jwt.decode(str(ada.token), options={"verify_signature": False})
    # 10 s of leeway make a token that is all but expired still good; it is well past half its life.
    old = local_issuer(settings).issue(claims["sub"], claims["origin_jti"], str(ada.user_id), -1)
    answer = await api.nobody().get("/api/v1/auth/me", headers={"authorization": f"Bearer {old}"})
    assert answer.status_code == 200
    fresh = {"authorization": f"Bearer {answer.headers['x-refreshed-token']}"}
    again = await api.nobody().get("/api/v1/auth/me", headers=fresh)
    assert again.status_code == 200
    assert "x-refreshed-token" not in again.headers


async def test_a_new_password_ends_other_sessions(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    phone = api.nobody()
    login = await phone.post("/api/v1/auth/login", json={"email": "ada@example.com", "password": PASSWORD})
    wrong = await ada.request(
        "PATCH", "/api/v1/auth/me", json={"current_password": "nope", "new_password": "Another-pass-8"}
    )
    assert wrong.status_code == 422
    change = {"current_password": PASSWORD, "new_password": "Another-pass-8", "display_name": "Ada L."}
    answer = await ada.request("PATCH", "/api/v1/auth/me", json=change)
    assert answer.json()["display_name"] == "Ada L."
    bearer = {"authorization": f"Bearer {login.json()['token']}"}
    assert (await phone.get("/api/v1/auth/me", headers=bearer)).status_code == 401


async def test_people_are_not_managed_through_the_page(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    for method, path in [("GET", ""), ("POST", ""), ("GET", "/x"), ("PATCH", "/x"), ("DELETE", "/x")]:
        answer = await ada.request(method, f"/api/v1/auth/users{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await api.nobody().post("/api/v1/auth/setup")).status_code == 403


async def test_an_address_is_the_same_however_it_is_typed(api: RunningApi) -> None:
    """An accent may come as a letter of its own, and a domain in any script: sign-up and log-in agree."""
    apart, together = "e\u0301va@b\u00fccher.example", "\u00c9va@B\u00fccher.example"
    await api.person(apart)
    for email in (apart, together):
        answer = await api.nobody().post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 200, email


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "login", '{"email":"a\\u0000@x.com","password":"x"}', "email"),
        ("POST", "login", '{"email":"a@x.com","password":"\\ud800"}', "password"),
        ("POST", "login", '{"email":"\\ud800","password":"x"}', "email"),
        (
            "POST",
            "sign-up",
            '{"email":"n@example.com","password":"Correct-horse-7","display_name":"\\u0000"}',
            "display_name",
        ),
        ("POST", "sign-up", '{"email":"n@example.com","password":"Correct-horse-7\\udfff"}', "password"),
        ("PATCH", "me", '{"display_name":"\\u0000"}', "display_name"),
        ("PATCH", "me", '{"current_password":"\\ud800","new_password":"Another-pass-8"}', "current_password"),
    ],
)
async def test_text_that_cannot_be_kept_is_refused_by_name(
    api: RunningApi, method: str, path: str, body: str, field: str
) -> None:
    ada = await api.person("ada@example.com")
    answer = await ada.request(
        method, f"/api/v1/auth/{path}", content=body, headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert answer.json()["detail"][0]["loc"][-1] == field
