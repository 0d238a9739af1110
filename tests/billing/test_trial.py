"""The trial: once per person, however often it is asked for and however they spell their address."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.identity.recovery.links import digest
from tests.apps import PASSWORD, RunningApi, running_api
from tests.factories import make_person
from tests.money import violations
from tests.servers import TestDatabase


def _start_trial(database: TestDatabase, user_id: UUID | None) -> None:
    with psycopg.connect(database.url(roles.AUTH)) as connection:
        connection.execute("SELECT billing_start_trial(%s)", [user_id])


def _has(database: TestDatabase, user_id: UUID | None) -> tuple[int, int]:
    """Subscriptions and credits of a person."""
    with psycopg.connect(database.owner) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM user_subscriptions WHERE user_id = %(user)s),"
            " (SELECT coalesce(sum(amount), 0) FROM credit_transactions WHERE user_id = %(user)s)",
            {"user": user_id},
        ).fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.parametrize(
    "since",
    [
        "SELECT 1",
        "UPDATE user_subscriptions SET status = 'expired'",
        "UPDATE user_subscriptions SET status = 'canceled', plan_id = (SELECT id FROM subscription_plans"
        " WHERE slug = 'pro')",
        "DELETE FROM user_subscriptions",
    ],
)
async def test_a_second_trial_gives_nothing(api: RunningApi, database: TestDatabase, since: str) -> None:
    ada = await api.person("ada@example.com")
    with psycopg.connect(database.owner) as connection:
        connection.execute(since)
    before = _has(database, ada.user_id)
    _start_trial(database, ada.user_id)
    assert _has(database, ada.user_id) == before
    assert violations(database) == {}


def test_an_expired_trial_without_credits_was_one_too(database: TestDatabase) -> None:
    ada = make_person(database, credits=0)
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE user_subscriptions SET status = 'expired'")
    _start_trial(database, ada)
    assert _has(database, ada) == (1, 0)


async def _sign_up(api: RunningApi, email: str) -> tuple[UUID, str]:
    """Whom it made, and what became of their trial."""
    answer = await api.nobody().post("/api/v1/auth/sign-up", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    return UUID(body["user"]["user_id"]), body["trial"]


ALIASES = ["Ada.Lovelace+2@gmail.com", "adalovelace@googlemail.com", "a.d.a.lovelace@GMAIL.com"]


async def test_an_address_has_one_trial_however_it_is_spelt(api: RunningApi, database: TestDatabase) -> None:
    _, trial = await _sign_up(api, "ada.lovelace@gmail.com")
    assert trial == "begun"
    for alias in ALIASES:
        user_id, trial = await _sign_up(api, alias)
        assert trial == "none"
        assert _has(database, user_id) == (0, 0)
    _, trial = await _sign_up(api, "ada.lovelace@example.com")
    assert trial == "begun"
    assert violations(database) == {}


async def test_who_gets_no_trial_can_log_in_and_is_told(api: RunningApi) -> None:
    await api.person("ada@example.com")
    other = await api.person("ada+2@example.com")
    summary = (await other.get("/api/v1/account/summary")).json()
    assert (summary["plan"], summary["had_plan"], summary["balance"]) == (None, False, 0)
    assert (await other.get("/api/v1/images/names")).status_code == 200
    refused = await other.post("/api/v1/keys", json={"name": "k"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_in_plan")


async def test_of_many_spellings_at_once_one_has_the_trial(api: RunningApi) -> None:
    found = await asyncio.gather(*[_sign_up(api, f"ada+{n}@example.com") for n in range(6)])
    assert sorted(trial for _, trial in found) == ["begun", *["none"] * 5]


async def test_a_trial_stays_had_when_its_account_is_gone(api: RunningApi, database: TestDatabase) -> None:
    """What is kept of it names nobody: no column leads to a person, and the address can't be read."""
    user_id, _ = await _sign_up(api, "ada@example.com")
    with psycopg.connect(database.url()) as connection:
        connection.execute("SET session_replication_role = replica")  # as a deletion of all that is theirs
        connection.execute("DELETE FROM user_subscriptions")
        connection.execute("DELETE FROM users WHERE id = %s", [user_id])
        kept = connection.execute("SELECT address_hash FROM trial_claims").fetchall()
    assert len(kept) == 1 and len(kept[0][0]) == 32
    assert (await _sign_up(api, "ada@example.com"))[1] == "none"
    assert (await _sign_up(api, "ada+2@example.com"))[1] == "none"


async def test_without_a_trial_on_offer_none_is_used_up(api: RunningApi, database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET is_active = false WHERE slug = 'trial'")
    assert (await _sign_up(api, "ada@example.com"))[1] == "none"
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET is_active = true WHERE slug = 'trial'")
    assert (await _sign_up(api, "ada+2@example.com"))[1] == "begun"


async def test_a_trial_that_waits_is_had_by_who_confirms_first(
    database: TestDatabase, tmp_path: Path
) -> None:
    async with running_api(database.settings(tmp_path, verified_email_required=True)) as api:
        (one, waits), (other, _) = [await _sign_up(api, f"ada+{n}@example.com") for n in range(2)]
        assert waits == "waits"
        for user_id, has in ((other, (1, 500)), (one, (0, 0))):
            secret = secrets.token_urlsafe(32)
            with psycopg.connect(database.owner) as connection:
                connection.execute(
                    "INSERT INTO mail_links (user_id, purpose, digest, email, expires_at)"
                    " SELECT id, 'verify_email', %s, email, now() + interval '1 h' FROM users WHERE id = %s",
                    [digest(secret), user_id],
                )
            answer = await api.nobody().post("/api/v1/auth/verify-email", json={"token": secret})
            assert answer.status_code == 200, answer.text
            assert _has(database, user_id) == has
