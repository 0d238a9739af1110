"""What operators do with organisations, and what a person reads of theirs."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from invokeai_saas import cli
from invokeai_saas.db import roles
from invokeai_saas.errors import SetupError
from invokeai_saas.organisations import admin, commands
from invokeai_saas.settings import Settings
from tests.apps import RunningApi
from tests.factories import make_person
from tests.organisations.people import NAME, People, set_plan
from tests.servers import TestDatabase

OWN = "/api/v1/organisation"


async def test_a_person_reads_their_own_organisation(api: RunningApi, people: People) -> None:
    seen = (await people.bob.subject.get(OWN)).json()
    assert seen.keys() == {"id", "name", "created_at", "sharing", "members"}
    assert (seen["name"], seen["sharing"]) == (NAME, True)
    assert [(member["user_id"], member["role"]) for member in seen["members"]] == [
        (str(people.ada.user_id), "owner"),
        (str(people.bob.user_id), "member"),
    ]
    assert all(member["name"] for member in seen["members"])
    assert "@" not in str(seen)  # no addresses
    assert (await people.ada.subject.get(OWN)).json() == seen
    assert (await people.cleo.subject.get(OWN)).json()["name"] == "Others"
    nothing = await people.dan.subject.get(OWN)
    assert (nothing.status_code, nothing.json()) == (200, None)
    assert (await api.nobody().get(OWN)).status_code == 401
    set_plan(people.database, people.ada, "pro")
    assert (await people.bob.subject.get(OWN)).json()["sharing"] is False


async def test_nobody_makes_themselves_a_member(people: People) -> None:
    with psycopg.connect(people.database.url(roles.API), autocommit=True) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, false)", [str(people.dan.user_id)])
        for statement in (
            "INSERT INTO organisation_members (user_id, organisation_id)"
            " VALUES (app_user(), gen_random_uuid())",
            "UPDATE organisation_members SET user_id = app_user()",
            "DELETE FROM organisation_members",
            "UPDATE organisations SET user_id = app_user()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def _refused(action: Callable[[], None], part: str) -> None:
    with pytest.raises(SetupError, match=part):
        action()


def test_what_operators_are_refused(database: TestDatabase) -> None:
    url = database.owner
    for name in ("ada", "bob", "cleo"):
        make_person(database, f"{name}@example.com", plan="enterprise")
    _refused(lambda: admin.create(url, " ", "ada@example.com"), "1 to 100")
    _refused(lambda: admin.create(url, "x" * 101, "ada@example.com"), "1 to 100")
    _refused(lambda: admin.create(url, "One", "nobody@example.com"), "Nobody has")
    admin.create(url, "One", "Ada@Example.com ")
    _refused(lambda: admin.create(url, "One", "bob@example.com"), "named 'One' already")
    _refused(lambda: admin.create(url, "Two", "ada@example.com"), "is of the organisation 'One'")
    _refused(lambda: admin.add(url, "Two", "bob@example.com"), "no organisation")
    admin.add(url, "One", "bob@example.com")
    _refused(lambda: admin.add(url, "One", "bob@example.com"), "is of the organisation")
    _refused(lambda: admin.remove(url, "One", "cleo@example.com"), "is not of")
    _refused(lambda: admin.remove(url, "One", "ada@example.com"), "owns")
    (found,) = admin.listed(url)
    assert (found.name, found.owner, found.members, found.shares) == (
        "One", "ada@example.com", ["bob@example.com"], True,
    )  # fmt: skip
    admin.remove(url, "One", "bob@example.com")
    assert admin.listed(url)[0].members == []
    admin.delete(url, "One")
    assert admin.listed(url) == []
    admin.create(url, "Two", "ada@example.com")


def test_the_commands(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ada", "bob"):
        make_person(database, f"{name}@example.com", plan="starter")
    settings = Settings(database_owner_url=SecretStr(database.owner))
    monkeypatch.setattr(commands, "get_settings", lambda: settings)

    def run(*arguments: str) -> None:
        result = CliRunner().invoke(cli.app, ["admin", "organisations", *arguments])
        assert result.exit_code == 0, result.output

    run("create", "One", "ada@example.com")
    run("add", "One", "bob@example.com")
    (found,) = admin.listed(database.owner)
    assert (found.members, found.shares) == (["bob@example.com"], False)
    run("list")
    run("remove", "One", "bob@example.com")
    run("delete", "One")
    assert admin.listed(database.owner) == []
