"""Confirming an address, choosing a new password, and the language of mails, as owner, as another and as nobody."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.mail.sending import Mailer
from tests.apps import PASSWORD, RunningApi, Subject, running_api
from tests.mail.box import Mailbox
from tests.servers import TestDatabase

NEW_PASSWORD = "Another-horse-8"
EMAIL = "ada@example.com"


async def _ask(api: RunningApi, email: str = EMAIL) -> httpx.Response:
    return await api.nobody().post("/api/v1/auth/forgot-password", json={"email": email})


async def _reset(api: RunningApi, token: str, password: str = NEW_PASSWORD) -> httpx.Response:
    body = {"token": token, "new_password": password}
    return await api.nobody().post("/api/v1/auth/reset-password", json=body)


async def _verify(api: RunningApi, token: str) -> httpx.Response:
    return await api.nobody().post("/api/v1/auth/verify-email", json={"token": token})


async def _log_in(api: RunningApi, password: str) -> int:
    body = {"email": EMAIL, "password": password}
    return (await api.nobody().post("/api/v1/auth/login", json=body)).status_code


async def _send(mailer: Mailer) -> int:
    return await asyncio.to_thread(mailer.send_due)


async def test_a_new_password_by_mail(api: RunningApi, mailer: Mailer, box: Mailbox) -> None:
    ada = await api.person(EMAIL)
    other = await api.nobody().post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert other.status_code == 200
    answer = await _ask(api)
    assert (answer.status_code, answer.json()) == (202, {"success": True})
    await _send(mailer)
    [link] = box.links("reset-password")
    assert link.startswith(f"{api.settings.public_url}/reset-password?lang=en#")
    secret = box.secret("reset-password")
    assert (await _reset(api, secret)).status_code == 200
    assert (await _log_in(api, NEW_PASSWORD), await _log_in(api, PASSWORD)) == (200, 401)
    # Whoever was logged in is so no more.
    ended = await ada.get("/api/v1/auth/me")
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")
    bearer = {"authorization": f"Bearer {other.json()['token']}"}
    assert (await api.nobody().get("/api/v1/auth/me", headers=bearer)).status_code == 401
    # The link is used up, and so are others that were sent before.
    again = await _reset(api, secret, PASSWORD)
    assert (again.status_code, again.json()["code"]) == (422, "link_invalid")
    assert again.json()["detail"][0]["loc"][-1] == "token"


async def test_the_answer_does_not_tell_whether_there_is_such_a_person(
    api: RunningApi, mailer: Mailer, box: Mailbox, database: TestDatabase
) -> None:
    await api.person(EMAIL)
    answers = [await _ask(api, email) for email in (EMAIL, "nobody@example.com", "no address at all")]
    assert len({(answer.status_code, answer.text) for answer in answers}) == 1
    # Nothing was looked up yet: for each, the same one row was written.
    assert len(box.execute("SELECT id FROM password_reset_requests")) == 3
    await _send(mailer)
    assert box.execute("SELECT id FROM password_reset_requests") == []
    assert [str(mail["To"]) for mail in box.arrived() if "password" in str(mail["Subject"])] == [EMAIL]


async def test_addresses_are_read_as_sign_up_wrote_them(
    api: RunningApi, mailer: Mailer, box: Mailbox
) -> None:
    await api.person(EMAIL)
    await _ask(api, " Ada@EXAMPLE.com ")
    await _send(mailer)
    assert len(box.links("reset-password")) == 1


async def test_who_was_locked_out_gets_no_link(
    api: RunningApi, mailer: Mailer, box: Mailbox, database: TestDatabase
) -> None:
    await api.person(EMAIL)
    await _ask(api)
    await _send(mailer)
    secret = box.secret("reset-password")
    box.execute("UPDATE users SET is_active = false")
    assert (await _reset(api, secret)).json()["code"] == "link_invalid"
    await _ask(api)
    await _send(mailer)
    assert len(box.links("reset-password")) == 1


@pytest.mark.parametrize("password", ["short", "nouppercase1", "x" * 300, "Aa1\0aaaaaa"])
async def test_a_weak_password_uses_up_nothing(
    api: RunningApi, mailer: Mailer, box: Mailbox, password: str
) -> None:
    await api.person(EMAIL)
    await _ask(api)
    await _send(mailer)
    secret = box.secret("reset-password")
    refused = await _reset(api, secret, password)
    assert refused.status_code == 422
    assert "password" in refused.json()["detail"][0]["loc"][-1]
    assert (await _reset(api, secret)).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "x" * 200, "x" * 201, "한글", "\ud800", "a\0b", 7, None])
async def test_bad_links_are_refused(api: RunningApi, token: Any) -> None:
    for path, more in (("verify-email", {}), ("reset-password", {"new_password": NEW_PASSWORD})):
        content = json.dumps({"token": token} | more)  # half characters escaped, as a browser sends them
        headers = {"content-type": "application/json"}
        answer = await api.nobody().post(f"/api/v1/auth/{path}", content=content, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][-1] == "token"


async def test_a_password_that_was_changed_meanwhile_ends_the_link(
    api: RunningApi, mailer: Mailer, box: Mailbox
) -> None:
    ada = await api.person(EMAIL)
    await _ask(api)
    await _send(mailer)
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert (await ada.request("PATCH", "/api/v1/auth/me", json=change)).status_code == 200
    assert (await _reset(api, box.secret("reset-password"), PASSWORD)).json()["code"] == "link_invalid"
    assert await _log_in(api, NEW_PASSWORD) == 200


async def test_links_expire(api: RunningApi, mailer: Mailer, box: Mailbox) -> None:
    await api.person(EMAIL)
    await _ask(api)
    await _send(mailer)
    box.execute("UPDATE mail_links SET expires_at = now() - interval '1 second'")
    for answer in (
        await _reset(api, box.secret("reset-password")),
        await _verify(api, box.secret("verify-email")),
    ):
        assert answer.json()["code"] == "link_invalid"
    await _send(mailer)
    assert box.execute("SELECT id FROM mail_links") == []  # forgotten


async def test_a_link_is_good_for_its_purpose_and_address_alone(
    api: RunningApi, mailer: Mailer, box: Mailbox
) -> None:
    await api.person(EMAIL)
    await _ask(api)
    await _send(mailer)
    verify, reset = box.secret("verify-email"), box.secret("reset-password")
    assert (await _verify(api, reset)).json()["code"] == "link_invalid"
    assert (await _reset(api, verify)).json()["code"] == "link_invalid"
    box.execute("UPDATE users SET email = 'moved@example.com'")
    assert (await _verify(api, verify)).json()["code"] == "link_invalid"
    assert (await _reset(api, reset)).json()["code"] == "link_invalid"


async def test_of_many_uses_at_once_one_counts(api: RunningApi, mailer: Mailer, box: Mailbox) -> None:
    await api.person(EMAIL)
    await _ask(api)
    await _send(mailer)
    secret = box.secret("reset-password")
    words = [f"Another-horse-{number}" for number in range(5)]
    answers = await asyncio.gather(*(_reset(api, secret, word) for word in words))
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422, 422]
    good = [word for word in words if await _log_in(api, word) == 200]
    assert len(good) == 1


async def test_a_mail_that_is_sent_again_leaves_the_first_one_good(
    api: RunningApi, mailer: Mailer, box: Mailbox
) -> None:
    await api.person(EMAIL)
    await _send(mailer)
    first = box.secret("verify-email")
    box.execute("UPDATE mail_outbox SET state = 'waiting', sent_at = NULL, due_at = now()")
    await _send(mailer)
    second = box.secret("verify-email")
    assert first != second
    assert (await _verify(api, first)).status_code == 200
    assert (await _verify(api, second)).json()["code"] == "link_invalid"


async def test_no_secret_is_kept_by_us(
    api: RunningApi, mailer: Mailer, box: Mailbox, database: TestDatabase
) -> None:
    await api.person(EMAIL)
    await _ask(api)
    await _send(mailer)
    kept = box.execute("SELECT o::text AS row FROM mail_outbox o UNION SELECT l::text FROM mail_links l")
    for secret in (box.secret("verify-email"), box.secret("reset-password")):
        assert len(secret) >= 43  # 256 bits
        assert not [row for row in kept if secret in row["row"] or secret.encode().hex() in row["row"]]


async def test_signing_up_asks_to_confirm_the_address(api: RunningApi, mailer: Mailer, box: Mailbox) -> None:
    ada, bob = await api.person(EMAIL), await api.person("bob@example.com")
    assert ada.user_id and bob.user_id
    contact = (await ada.get("/api/v1/account/contact")).json()
    assert contact == {"email": EMAIL, "email_verified": False, "language": "en", "trial_waits": False}
    await _send(mailer)
    box.execute("UPDATE users SET name = 'Ada'")
    [link] = [found for found in _mails_to(box, EMAIL) if "verify-email" in found]
    assert (await _verify(api, link.partition("#")[2].split()[0])).status_code == 200
    assert (await ada.get("/api/v1/account/contact")).json()["email_verified"] is True
    assert (await bob.get("/api/v1/account/contact")).json()["email_verified"] is False
    # The welcome waits until somebody has been shown to be there.
    assert (box.kinds(ada.user_id), box.kinds(bob.user_id)) == (["verify_email", "welcome"], ["verify_email"])
    await _send(mailer)
    welcome = " ".join(_mails_to(box, EMAIL)[-1].split())
    assert "500 credits" in welcome and "Hello Ada" in welcome


def _mails_to(box: Mailbox, email: str) -> list[str]:
    """Texts of the folder's mails to somebody, the welcome last."""
    mails = [mail for mail in box.arrived() if mail["To"] == email]
    texts = [part.get_content() for mail in mails if (part := mail.get_body(("plain",))) is not None]
    return sorted(texts, key=lambda text: "your studio is ready" in text)


async def test_a_reset_confirms_the_address_too(api: RunningApi, mailer: Mailer, box: Mailbox) -> None:
    ada = await api.person(EMAIL)
    await _ask(api)
    await _send(mailer)
    await _reset(api, box.secret("reset-password"))
    assert ada.user_id and box.kinds(ada.user_id)[-1] == "welcome"


async def test_another_link_can_be_asked_for_until_the_address_is_confirmed(
    api: RunningApi, mailer: Mailer, box: Mailbox
) -> None:
    ada = await api.person(EMAIL)
    assert (await api.nobody().post("/api/v1/account/verification")).status_code == 401
    assert (await ada.post("/api/v1/account/verification")).status_code == 202
    await _send(mailer)
    first, second = [link.partition("#")[2] for link in box.links("verify-email")]
    assert (await _verify(api, first)).status_code == 200
    assert (await _verify(api, second)).json()["code"] == "link_invalid"  # one is enough
    refused = await ada.post("/api/v1/account/verification")
    assert (refused.status_code, refused.json()["code"]) == (409, "already_verified")


@pytest.mark.parametrize(
    ("header", "named", "language"),
    [
        ("ko-KR,ko;q=0.9,en;q=0.8", None, "ko"),
        ("de, en;q=0.5, ko;q=0.7", None, "ko"),
        ("fr", None, "en"),
        ("ko", "en", "en"),
        ("", None, "en"),
        ("ko;q=x, ;;,", None, "en"),
    ],
)
async def test_mails_speak_the_language_of_the_browser(
    api: RunningApi, mailer: Mailer, box: Mailbox, header: str, named: str | None, language: str
) -> None:
    body = {"email": EMAIL, "password": PASSWORD, "language": named}
    answer = await api.nobody().post("/api/v1/auth/sign-up", json=body, headers={"accept-language": header})
    assert answer.status_code == 201
    await _send(mailer)
    assert box.arrived()[0]["Content-Language"] == language
    assert f"lang={language}#" in box.links("verify-email")[0]


async def test_the_language_can_be_chosen(api: RunningApi) -> None:
    ada, bob = await api.person(EMAIL), await api.person("bob@example.com")
    answer = await ada.put("/api/v1/account/language", json={"language": "ko"})
    assert (answer.status_code, answer.json()["language"]) == (200, "ko")
    assert (await ada.get("/api/v1/account/contact")).json()["language"] == "ko"
    assert (await bob.get("/api/v1/account/contact")).json()["language"] == "en"
    assert (await ada.put("/api/v1/account/language", json={"language": "fr"})).status_code == 422
    nobody = api.nobody()
    assert (await nobody.put("/api/v1/account/language", json={"language": "ko"})).status_code == 401
    assert (await nobody.get("/api/v1/account/contact")).status_code == 401


@pytest.fixture
async def strict(database: TestDatabase, tmp_path: Path) -> AsyncIterator[RunningApi]:
    """Where the trial waits for the address to be confirmed, and links are few."""
    settings = database.settings(
        tmp_path, verified_email_required=True, link_mails_per_hour=2, link_mails_per_address=4
    )
    async with running_api(settings) as running:
        yield running


async def _plan(person: Subject) -> str | None:
    summary = (await person.get("/api/v1/account/summary")).json()
    return summary["plan"]["slug"] if summary["plan"] else None


async def test_the_trial_may_wait_for_the_address(strict: RunningApi, mailer: Mailer, box: Mailbox) -> None:
    ada = await strict.person(EMAIL)
    assert await _plan(ada) is None
    assert (await ada.get("/api/v1/account/contact")).json()["trial_waits"] is True
    await _send(mailer)
    assert (await _verify(strict, box.secret("verify-email"))).status_code == 200
    assert await _plan(ada) == "trial"
    assert (await ada.get("/api/v1/credits/balance")).json()["available"] == 500
    assert (await ada.get("/api/v1/account/contact")).json()["trial_waits"] is False


async def test_links_are_limited_by_account_and_by_address(strict: RunningApi) -> None:
    """Counted by what was typed, so that the limit tells nothing of who there is either."""

    def visitor() -> httpx.AsyncClient:
        host = ".".join(["10", *(str(secrets.randbelow(256)) for _ in range(3))])
        transport = httpx.ASGITransport(app=strict.app, client=(host, 1))
        client = httpx.AsyncClient(transport=transport, base_url=strict.settings.public_url)
        strict.clients.append(client)
        return client

    async def ask(client: httpx.AsyncClient, email: str) -> int:
        return (await client.post("/api/v1/auth/forgot-password", json={"email": email})).status_code

    known, unknown = (f"{secrets.token_hex(8)}@example.com" for _ in range(2))
    await strict.person(known)
    for email in (known, unknown):
        assert [await ask(visitor(), email) for _ in range(3)] == [202, 202, 429]
    one = visitor()
    fresh = [f"{secrets.token_hex(8)}@example.com" for _ in range(5)]
    assert [await ask(one, email) for email in fresh] == [202, 202, 202, 202, 429]


def test_the_api_reads_neither_links_nor_requests(database: TestDatabase) -> None:
    with psycopg.connect(database.url(roles.API), autocommit=True) as connection:
        for table in ("mail_links", "password_reset_requests"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {table}".encode())
