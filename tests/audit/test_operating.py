"""What operators do at a command line stands in the audit log too."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from invokeai_saas import cli, settings
from invokeai_saas.billing.stripe import commands as payments
from invokeai_saas.catalog.registration import register_models
from invokeai_saas.mail import commands as mail
from invokeai_saas.organisations import commands as organisations
from invokeai_saas.settings import Settings
from tests.factories import insert, make_person
from tests.servers import TestDatabase

# Whose commands have taken the settings' reader by name.
COMMANDS = (organisations, mail, payments)


def _run(*arguments: str, succeeds: bool = True) -> str:
    result = CliRunner().invoke(cli.app, ["admin", *arguments])
    assert (result.exit_code == 0) is succeeds, result.output
    return result.output


def _log(database: TestDatabase) -> list[Any]:
    with psycopg.connect(database.owner) as connection:
        rows = connection.execute("SELECT actor, action, kind, thing, person_id FROM audit_log ORDER BY id")
        return rows.fetchall()


def test_commands_are_logged_in_the_transaction_of_the_act(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = make_person(database, "ada@example.com"), make_person(database, "bob@example.com")
    with psycopg.connect(database.owner) as connection:
        insert(connection, "mail_outbox", user_id=ada, kind="welcome", key="once", state="failed")
        insert(connection, "stripe_events", id="evt_1", type="invoice.paid", payload={}, created_at="now")
    there = Settings(database_owner_url=SecretStr(database.owner))
    for module in (cli, settings, *COMMANDS):
        monkeypatch.setattr(module, "get_settings", lambda: there)
    _run("organisations", "create", "One", "ada@example.com")
    _run("organisations", "add", "One", "bob@example.com")
    _run("organisations", "add", "One", "bob@example.com", succeeds=False)
    _run("organisations", "remove", "One", "bob@example.com")
    _run("organisations", "delete", "One")
    _run("mail", "retry", "--failed")
    _run("payments", "replay", "evt_1")
    _run("payments", "replay", "evt_2", succeeds=False)
    shown = _run("staff", "add", "Sam@example.com")
    _run("staff", "list")
    _run("staff", "remove", "sam@example.com")
    with psycopg.connect(database.owner) as connection:
        row = connection.execute("SELECT id FROM users WHERE email = 'sam@example.com'").fetchone()
    assert row is not None
    register_models(database.owner, [], by_operator=True)
    register_models(database.owner, [])
    assert _log(database) == [
        ("operator", "organisation.create", "organisation", "One", ada),
        ("operator", "organisation.add", "organisation", "One", bob),
        ("operator", "organisation.remove", "organisation", "One", bob),
        ("operator", "organisation.delete", "organisation", "One", ada),
        ("operator", "mail.retry", "mail", "all that failed", None),
        ("operator", "payment_event.replay", "event", "evt_1", None),
        ("operator", "staff.add", "staff", "sam@example.com", row[0]),
        ("operator", "staff.remove", "staff", "sam@example.com", row[0]),
        ("operator", "models.scan", "models", "on offer", None),
    ]
    assert "otpauth://totp/" in shown
