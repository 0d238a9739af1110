"""Every operation of the application, called by its owner, another person, nobody, an admin and a program:
access_matrix.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from fastapi.routing import iter_route_contexts

from invokeai_saas.api import create_app
from invokeai_saas.organisations import admin as organisations
from invokeai_saas.settings import Settings
from tests.access_matrix import ELSEWHERE, MATRIX, Access
from tests.apps import PASSWORD, RunningApi, Subject
from tests.conformance import document
from tests.conformance.calls import EXPECTED, Call
from tests.conformance.nearby import hub_nearby, worker_for
from tests.conformance.scene import Missing, Scene, give_every_feature, new_scene
from tests.contract import BY_NAME
from tests.identity.keys.people import make_key, program
from tests.plans import put_on
from tests.servers import TestDatabase

UNKNOWN = "6f1a2c00-0000-4000-8000-000000000000"
OTHER = "6f1a2c00-0000-4000-8000-000000000001"
# What stands for a person's thing when it is nobody's.
NOBODYS = {
    "board_id": UNKNOWN, "image_name": f"{UNKNOWN}.png", "video_name": f"{UNKNOWN}.mp4", "item_id": "123456789",
    "batch_id": UNKNOWN, "key": UNKNOWN, "other_key": OTHER, "model_key": UNKNOWN, "workflow_id": UNKNOWN,
    "style_preset_id": UNKNOWN, "system_prompt_id": UNKNOWN, "id": "123456789",
    "bulk_download_item_name": f"{UNKNOWN}.zip", "key_id": UNKNOWN, "export_id": UNKNOWN,
}  # fmt: skip
# Kinds of which Ada has one from the beginning, so that lists of others could tell of it.
IN_LISTS = [
    "board_id", "image_name", "video_name", "batch_id", "workflow_id", "style_preset_id", "system_prompt_id", "id",
    "bulk_download_item_name", "key_id", "export_id",
]  # fmt: skip
NEW = "new-person"  # replaced by another word each time that it is sent
OURS = {
    "POST /api/v1/auth/sign-up": Call(json={"email": f"{NEW}@example.com", "password": PASSWORD}),
    "POST /api/v1/auth/forgot-password": Call(json={"email": "ada@example.com"}),
    # Links are good for whoever has the mail: tests/identity/recovery.
    "POST /api/v1/auth/reset-password": Call(json={"token": "no link", "new_password": PASSWORD}),
    "POST /api/v1/auth/verify-email": Call(json={"token": "no link"}),
    "PUT /api/v1/account/language": Call(json={"language": "ko"}),
    "POST /api/v1/keys": Call(json={"name": "A program"}),
    "POST /api/v1/privacy/deletion": Call(json={"password": PASSWORD}),
}
LOG_IN = "POST /api/v1/auth/login"  # who knows Ada's password is Ada


def _group(row: Access) -> str:
    """Rows of a group are tested together, on one database."""
    parts = row.name.split("/")
    return parts[3] if len(parts) > 3 else "pages"


# Of things that colleagues may share.
SHARING = {
    "boards", "board_images", "board_videos", "images", "videos", "gallery", "virtual_boards", "workflows",
    "style_presets", "system_prompts",
}  # fmt: skip
GROUPS = sorted({_group(row) for row in MATRIX})


@pytest.fixture
def settings(settings: Settings) -> Iterator[Settings]:
    with hub_nearby(settings) as found:
        yield found


def _operations() -> set[str]:
    """All but those of staff's pages, which customers have no part in: tests/admin/test_access.py."""
    application: Any = create_app()
    routes = iter_route_contexts(application.other_asgi_app.routes)
    return {
        f"{method} {route.path_format}"
        for route in routes
        for method in route.methods or ()
        if route.path_format not in ELSEWHERE and not (route.path_format or "").startswith("/admin")
    }


def test_every_operation_has_its_row() -> None:
    names = [row.name for row in MATRIX]
    assert len(names) == len(set(names))
    assert _operations() <= set(names)
    assert set(names) - _operations() <= set(BY_NAME), "rows of operations that there are not"


@dataclass
class Sent:
    """A request of Ada's.

    Parameters:
        names: her things that were made for it, and what stands for each when it is nobody's.
        secrets: what no answer to anybody else may hold.
    """

    name: str
    path: str
    call: Call
    names: dict[str, str]
    secrets: set[str]

    @property
    def names_things(self) -> bool:
        said = json.dumps([self.path, self.call.json, dict(self.call.query)])
        return self.elsewhere(said) != said

    def elsewhere(self, text: str) -> str:
        """A text with nobody's things in the place of Ada's."""
        for name, instead in self.names.items():
            text = text.replace(name, instead)
        return text

    async def by(self, subject: Subject, *, about_nothing: bool = False) -> httpx.Response:
        said = json.dumps([self.path, self.call.json, dict(self.call.query)])
        said = (self.elsewhere(said) if about_nothing else said).replace(NEW, str(uuid4()))
        path, body, query = json.loads(said)
        call = Call(query, body, self.call.form, self.call.files)
        subject.client.cookies.clear()  # a token is who one is here: cookies are tested with identity
        return await subject.request(self.name.split(" ")[0], path, **call.options())


async def _good_call(scene: Scene, name: str) -> Sent:
    """Ada's call, with things of her own made for it."""
    scene.made.clear()
    try:
        _, path, call = await scene.call(name)
    except Missing:  # what is refused today makes no things
        return Sent(name, BY_NAME[name].example, Call(), {}, _secrets(scene))
    made = {thing: NOBODYS[kind] for kind, thing in scene.made.items() if kind in NOBODYS}
    if scene.own_model:
        made |= {scene.own_model[part]: UNKNOWN for part in ("key", "name", "hash")}
    return Sent(name, path, OURS.get(name, call), made, _secrets(scene) | made.keys())


def _secrets(scene: Scene) -> set[str]:
    """Who Ada is, and the names of all that she has. Numbers of jobs are too short to be looked for in a text."""
    named = {thing for kind, thing in scene.history if kind in NOBODYS and kind != "item_id"}
    return named | {scene.email, str(scene.owner.user_id)}


def _expected(row: Access, cell: str, *, is_nobody: bool) -> str:
    refused = BY_NAME.get(row.name)
    if refused is None or refused.is_answered:
        return cell
    return "401" if is_nobody and not refused.is_public else refused.answer


async def _wrong(expected: str, subject: Subject, sent: Sent) -> str | None:
    """What another's answer gives away, or how it is not the expected one."""
    answer = await sent.by(subject)
    if expected == "own":
        if answer.status_code >= 400:
            return f"{answer.status_code} {answer.text[:200]}"
        if not sent.names_things:
            told = [secret for secret in sent.secrets if secret in answer.text and sent.name != LOG_IN]
            return f"tells of {told}" if told else None
    elif answer.status_code != int(expected):
        return f"{answer.status_code} instead of {expected}: {answer.text[:200]}"
    there = await sent.by(subject, about_nothing=True)
    if (there.status_code, there.text) != (answer.status_code, sent.elsewhere(answer.text)):
        return f"otherwise than of nothing: {answer.text[:200]} and {there.status_code} {there.text[:200]}"
    return None


def _status_of_owner(row: Access) -> int | None:
    refused = BY_NAME.get(row.name)
    if refused is not None and not refused.is_answered:
        return int(refused.answer)
    if row.name in EXPECTED:
        return EXPECTED[row.name]
    if row.owner != "ok":
        return int(row.owner)
    return document.success(row.name) if refused is not None else None


def _everything_of(database: TestDatabase, person: Subject) -> dict[str, Any]:
    """A fingerprint of a person's rows in each table that has any."""
    found = {}
    with psycopg.connect(database.url()) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_name)"
            " WHERE column_name = 'user_id' AND tables.table_schema = 'public' AND table_type = 'BASE TABLE'"
        ).fetchall()
        for (table,) in tables:
            rows = psycopg.sql.SQL("SELECT t::text FROM {} t WHERE user_id = %s ORDER BY 1").format(
                psycopg.sql.Identifier(table)
            )
            found[table] = connection.execute(rows, [person.user_id]).fetchall()
    return found


async def _admin(api: RunningApi, database: TestDatabase) -> Subject:
    person = await api.person("admin@example.com")
    give_every_feature(database, person)
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE users SET role = 'admin' WHERE id = %s", [person.user_id])
    return person


async def _program(api: RunningApi, database: TestDatabase) -> Subject:
    """Somebody who has nothing but a key of a person on Pro."""
    person = await api.person("cleo@example.com")
    put_on(database, person.user_id, "pro")
    return program(api, (await make_key(person))["key"], person)


async def _problems(row: Access, scene: Scene, others: dict[str, Subject]) -> list[str]:
    """All that is wrong with the answers to one operation's good call."""
    database, found = scene.database, []
    sent = await _good_call(scene, row.name)
    before = _everything_of(database, scene.owner)
    for who, subject in others.items():
        expected = _expected(row, getattr(row, who), is_nobody=who == "nobody")
        problem = await _wrong(expected, subject, sent)
        found += [f"{row.name}, {who}: {problem}"] if problem else []
    after = _everything_of(database, scene.owner)
    changed = [table for table in before if before[table] != after[table] and row.name != LOG_IN]
    found += [f"{row.name}: changed Ada's {table}" for table in changed]
    async with worker_for(row.name, scene.api.settings):
        answer = await sent.by(scene.owner)
    wanted = _status_of_owner(row)
    if answer.status_code != wanted and (wanted or answer.status_code >= 400):
        found.append(f"{row.name}, owner: {answer.status_code} instead of {wanted}: {answer.text[:200]}")
    return found


@pytest.mark.parametrize("group", GROUPS)
async def test_everybody_gets_what_the_matrix_says(
    api: RunningApi, database: TestDatabase, group: str
) -> None:
    scene = await new_scene(api, database, own_models=True)
    for kind in IN_LISTS:
        await scene.thing(kind)
    bob = await api.person("bob@example.com")
    give_every_feature(database, bob)
    others = {"other": bob, "nobody": api.nobody(), "admin": await _admin(api, database)}
    others["key"] = await _program(api, database)
    of_group = [row for row in MATRIX if _group(row) == group]
    rows = sorted(of_group, key=lambda row: row.name.endswith("/logout"))
    found = [problem for row in rows for problem in await _problems(row, scene, others)]
    assert not found, "\n".join(found)


async def test_a_colleague_with_whom_nothing_is_shared_is_a_stranger(
    api: RunningApi, database: TestDatabase
) -> None:
    scene = await new_scene(api, database, own_models=True)
    for kind in IN_LISTS:
        await scene.thing(kind)
    bob = await api.person("bob@example.com")
    give_every_feature(database, bob)
    organisations.create(database.owner, "One", scene.email)
    organisations.add(database.owner, "One", "bob@example.com")
    found = []
    for row in (row for row in MATRIX if _group(row) in SHARING):
        sent = await _good_call(scene, row.name)
        problem = await _wrong(_expected(row, row.other, is_nobody=False), bob, sent)
        found += [f"{row.name}: {problem}"] if problem else []
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "name",
    [
        "GET /api/v1/boards/",
        "GET /api/v1/images/names",
        "GET /api/v1/images/i/{image_name}",
        "POST /api/v1/images/star",
    ],
)
async def test_a_leak_would_be_seen(api: RunningApi, database: TestDatabase, name: str) -> None:
    """The control: Ada's own answers, looked at as if they were another's."""
    scene = await new_scene(api, database)
    for kind in ("board_id", "image_name"):
        await scene.thing(kind)
    assert await _wrong("own", scene.owner, await _good_call(scene, name))
