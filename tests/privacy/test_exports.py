"""Exports: what is in one, how many there may be, who may fetch it, and what becomes of it."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.errors import Unavailable
from invokeai_saas.privacy import archive as archives
from invokeai_saas.privacy.declared import EXPORTED, HELD
from invokeai_saas.privacy.records import PrivacyRecords
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from tests.apps import RunningApi, Subject
from tests.factories import fill_every_tenant_table, people
from tests.gallery.people import Gallery
from tests.graphs import add_model, batch_body, picture_graph
from tests.servers import TestDatabase
from tests.waiting import eventually

PATH = "/api/v1/privacy/exports"


@pytest.fixture
def objects(api: RunningApi) -> ObjectStore:
    return open_object_store(api.settings)


async def _ask(subject: Subject) -> str:
    answer = await subject.post(PATH)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["status"], answer.json()["url"]) == ("pending", None)
    return str(answer.json()["id"])


async def _ended(subject: Subject, export: str) -> dict[str, Any]:
    async def look() -> Any:
        found = (await subject.get(f"{PATH}/{export}")).json()
        return found if found["status"] not in ("pending", "running") else None

    found: dict[str, Any] = await eventually(look)
    return found


async def _archive(subject: Subject) -> ZipFile:
    export = await _ended(subject, await _ask(subject))
    assert export["status"] == "ready", export
    answer = await subject.get(export["url"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{export["id"]}.zip"'
    assert int(answer.headers["content-length"]) == len(answer.content) == export["bytes"]
    found = ZipFile(io.BytesIO(answer.content))
    assert found.testzip() is None
    return found


def _rows(found: ZipFile, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(found.read(f"data/{table}.json"))
    return rows


def _execute(database: TestDatabase, query: str, *values: object) -> list[Any]:
    with psycopg.connect(database.owner) as connection:
        found = connection.execute(query, list(values))
        return found.fetchall() if found.description else []


async def test_everything_that_a_person_has_and_nothing_of_anybody_else(
    api: RunningApi, database: TestDatabase, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_PAGE", 2)
    monkeypatch.setattr(archives, "_HEAVY_PAGE", 2)
    subject = await api.person("carol@example.com")
    carol, bob = Gallery(subject, database), Gallery(await api.person("bea@example.com"), database)
    model = add_model(database)
    for prompt in ("my very own heart", "한글 ❤", "third"):
        body = batch_body(picture_graph(key=model["key"]))
        body["batch"]["graph"]["nodes"]["mine"] = {"id": "mine", "type": "string", "value": prompt}
        answer = await subject.post("/api/v1/queue/default/enqueue_batch", json=body)
        assert answer.status_code == 200, answer.text
    pictures = [carol.add(), carol.add(is_intermediate=True), carol.add_video()]
    strange = bob.add()
    for name in [*pictures, strange]:
        owner = bob.user_id if name == strange else carol.user_id
        await objects.put(f"users/{owner}/images/{name}", name.encode() * 500_000, "image/png")
    await subject.post("/api/v1/client_state/default/set_by_key?key=k", json="v")
    found = await _archive(subject)
    assert {name for name in found.namelist() if name.startswith("data/")} == {
        f"data/{held.table}.json" for held in EXPORTED
    }
    assert {name for name in found.namelist() if name.startswith("files/")} == {
        f"files/images/{name}" for name in pictures
    }
    for name in pictures:
        assert found.read(f"files/images/{name}") == name.encode() * 500_000
    assert [row["email"] for row in _rows(found, "users")] == ["carol@example.com"]
    assert {row["image_name"] for row in _rows(found, "images")} == set(pictures)
    assert len(_rows(found, "session_queue")) == len(_rows(found, "job_batches")) == 3
    graphs = [row["graph"]["nodes"]["mine"]["value"] for row in _rows(found, "job_batches")]
    assert sorted(graphs) == sorted(["my very own heart", "한글 ❤", "third"])
    assert _rows(found, "models") == []  # those on offer to all are nobody's
    (session,) = _rows(found, "auth_sessions")
    assert "refresh_hash" not in session and session["revoked_at"] is None
    whole = b"".join(found.read(name) for name in found.namelist())
    assert str(bob.user_id).encode() not in whole and b"bea@example.com" not in whole
    told = found.read("README.txt").decode()
    for held in HELD:
        assert not held.unexported or f"- {held.table}: {held.unexported}." in told
    mails = _execute(
        database, "SELECT kind FROM mail_outbox WHERE user_id = %s ORDER BY created_at", carol.user_id
    )
    assert mails == [("verify_email",), ("export_ready",)]


async def test_of_every_table_an_export_has_the_rows(api: RunningApi, database: TestDatabase) -> None:
    fill_every_tenant_table(database)
    ada, _ = people(database)
    _execute(database, "DELETE FROM privacy_exports")
    chunks = [
        chunk
        async for chunk in archives.PersonArchive(api.services.database, api.services.objects, ada).chunks()
    ]
    found = ZipFile(io.BytesIO(b"".join(chunks)))
    for held in EXPORTED:
        column = held.person
        rows = _rows(found, held.table)
        assert rows, held.table
        assert {row[column] for row in rows} == {str(ada)}, held.table
        (count,) = _execute(database, f"SELECT count(*) FROM {held.table} WHERE {column} = %s", ada)
        assert len(rows) == count[0], held.table


async def test_one_at_a_time_and_one_a_day(api: RunningApi, database: TestDatabase) -> None:
    ada = await api.person("ada@example.com")
    _execute(
        database,
        "INSERT INTO privacy_exports (id, user_id, alive_until) VALUES (gen_random_uuid(), %s, now() + interval '1 h')",
        ada.user_id,
    )
    answer = await ada.post(PATH)
    assert (answer.status_code, answer.json()["code"]) == (409, "export_under_way")
    _execute(database, "UPDATE privacy_exports SET state = 'failed'")
    export = await _ended(ada, await _ask(ada))  # one that failed does not count
    assert export["status"] == "ready"
    answer = await ada.post(PATH)
    assert answer.status_code == 429
    assert 86_000 < int(answer.headers["retry-after"]) <= 86_401
    _execute(database, "UPDATE privacy_exports SET created_at = now() - interval '25 h'")
    await _ended(ada, await _ask(ada))
    assert sorted(found["status"] for found in (await ada.get(PATH)).json()) == ["failed", "ready", "ready"]


async def test_others_find_nothing_and_a_path_is_signed(api: RunningApi) -> None:
    ada, bob, nobody = await api.person("ada@example.com"), await api.person("bob@example.com"), api.nobody()
    export = await _ended(ada, await _ask(ada))
    for other, status in ((bob, 404), (nobody, 401)):
        assert (await other.get(f"{PATH}/{export['id']}")).status_code == status
    assert (await bob.get(PATH)).json() == []
    assert (await nobody.get(export["url"])).status_code == 200  # whoever has the path
    path = export["url"].partition("?")[0]
    assert (await ada.get(path)).status_code == 404
    head = await nobody.request("HEAD", export["url"])
    assert int(head.headers["content-length"]) == export["bytes"]


async def test_an_export_expires_and_its_file_goes(
    api: RunningApi, database: TestDatabase, objects: ObjectStore
) -> None:
    ada = await api.person("ada@example.com")
    export = await _ended(ada, await _ask(ada))
    _execute(database, "UPDATE privacy_exports SET expires_at = now()")
    found = (await ada.get(f"{PATH}/{export['id']}")).json()
    assert (found["status"], found["url"]) == ("expired", None)
    records = PrivacyRecords(database.url(roles.BILLING))
    for _ in range(2):
        records.tidy_exports(objects)
    records.close()
    assert objects.list_sync(f"users/{ada.user_id}/exports/", None, 10) == []
    assert _execute(database, "SELECT state, s3_key FROM privacy_exports") == [("expired", None)]


async def test_what_a_process_left_fails(
    api: RunningApi, database: TestDatabase, objects: ObjectStore
) -> None:
    ada = await api.person("ada@example.com")
    key = f"users/{ada.user_id}/exports/x.zip"
    await objects.put(key, b"half", "application/zip")
    _execute(
        database,
        "INSERT INTO privacy_exports (id, user_id, state, s3_key, alive_until)"
        " VALUES (gen_random_uuid(), %s, 'running', %s, now() - interval '1 s')",
        ada.user_id, key,
    )  # fmt: skip
    records = PrivacyRecords(database.url(roles.BILLING))
    records.tidy_exports(objects)
    records.close()
    assert [found["status"] for found in (await ada.get(PATH)).json()] == ["failed"]
    assert objects.list_sync(f"users/{ada.user_id}/exports/", None, 10) == []


async def test_a_store_that_is_away_fails_the_export(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> int:
        raise Unavailable("away")

    ada = await api.person("ada@example.com")
    monkeypatch.setattr(api.services.exports._objects, "put_stream", away)
    assert (await _ended(ada, await _ask(ada)))["status"] == "failed"


async def test_who_is_being_deleted_gets_no_export(
    api: RunningApi, database: TestDatabase, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended by another while it is being written: it stops, and leaves no file."""
    from invokeai_saas.privacy import runner

    monkeypatch.setattr(runner, "_BEAT", 0.05)
    started: list[UUID] = []

    async def endless(self: Any) -> AsyncIterator[bytes]:
        started.append(self._user_id)
        while True:
            yield b"x" * 1000
            await eventually(lambda: True)

    monkeypatch.setattr(archives.PersonArchive, "chunks", endless)
    ada = await api.person("ada@example.com")
    await _ask(ada)
    await eventually(lambda: started)
    _execute(database, "UPDATE privacy_exports SET state = 'failed', finished_at = now()")
    await eventually(lambda: not api.services.exports._tasks)
    assert objects.list_sync(f"users/{ada.user_id}/exports/", None, 10) == []
