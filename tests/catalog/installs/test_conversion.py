"""Single-file checkpoints become folders: over the API, with the real database and object store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from invokeai_saas.catalog.installs import identification, identify
from invokeai_saas.errors import InvalidInput, Unavailable
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from invokeai_saas.worker.mock import MockEngine
from tests.apps import RunningApi, Subject
from tests.catalog.installs.crew import Crew, prolonged
from tests.catalog.installs.sources import Site, safetensors
from tests.catalog.people import MODELS, add_model, set_plan
from tests.servers import TestDatabase
from tests.waiting import eventually

CHECKPOINT = safetensors({"model.diffusion_model.input_blocks.0.0.weight": bytes(64)})


async def installed(subject: Subject, site: Site, crew: Crew) -> dict[str, Any]:
    """A checkpoint of the subject's; answers its record."""
    site.files["/dream.safetensors"] = CHECKPOINT
    source = f"{site.url}/dream.safetensors"
    answer = await subject.post(f"{MODELS}/install", params={"source": source}, json={"name": "Dream"})
    await crew.work()
    record: dict[str, Any] = (await subject.get(f"{MODELS}/install/{answer.json()['id']}")).json()[
        "config_out"
    ]
    assert (record["type"], record["format"]) == ("main", "checkpoint")
    return record


async def converted(subject: Subject, crew: Crew, key: str) -> Any:
    asked = asyncio.create_task(subject.put(f"{MODELS}/convert/{key}"))
    await eventually(lambda: crew.identifier.work_once())
    return await asked


async def asked_for(database: TestDatabase) -> None:
    """Returns when a conversion waits for a worker."""

    def waits() -> bool:
        with psycopg.connect(database.owner) as connection:
            query = "SELECT 1 FROM model_installs WHERE kind = 'convert' AND status = 'downloads_done'"
            return connection.execute(query).fetchone() is not None

    await eventually(waits)


def stored(crew: Crew, subject: Subject) -> list[str]:
    """Keys of all files of a person's models."""
    found = open_object_store(crew.settings).list_sync(f"models/users/{subject.user_id}/", None, 1000)
    return [entry.key for entry in found]


def files_of(database: TestDatabase, key: str) -> list[dict[str, Any]]:
    with psycopg.connect(database.owner) as connection:
        row = connection.execute("SELECT files FROM models WHERE key = %s", [key]).fetchone()
    assert row is not None
    return list(row[0])


async def test_a_checkpoint_becomes_a_folder_and_keeps_its_key(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase
) -> None:
    before = await installed(ada, site, crew)
    await ada.request("PATCH", f"{MODELS}/i/{before['key']}", json={"description": "mine"})
    answer = await converted(ada, crew, before["key"])
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert after["format"] == "diffusers"
    assert after["path"] == f"models/users/{ada.user_id}/{before['key']}/dream"
    same = ("key", "name", "source", "source_type", "base", "type")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after["description"] == "mine"
    assert (await ada.get(f"{MODELS}/i/{before['key']}")).json() == after
    files = files_of(database, before["key"])
    assert [file["path"] for file in files] == [
        "model_index.json",
        "unet/diffusion_pytorch_model.safetensors",
    ]
    assert stored(crew, ada) == sorted(file["key"] for file in files)  # the old file is gone
    fetched = crew.identifier._models.fetch(files)
    crew.identifier._models.release()
    assert (fetched / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == CHECKPOINT
    assert [event["config"] for event in crew.events("model_install_complete")][-1] == after
    assert len((await ada.get(f"{MODELS}/install")).json()) == 1  # a conversion is no install
    again = await ada.put(f"{MODELS}/convert/{before['key']}")
    assert (again.status_code, again.json()["code"]) == (400, "bad_request")


async def test_only_whose_it_is_may_convert_and_only_under_a_plan_that_has_such_models(
    api: RunningApi, site: Site, crew: Crew, ada: Subject, bob: Subject, tom: Subject, database: TestDatabase
) -> None:
    record = await installed(ada, site, crew)
    path = f"{MODELS}/convert/{record['key']}"
    assert (await bob.put(path)).status_code == 404
    assert (await tom.put(path)).status_code == 403
    assert (await api.nobody().put(path)).status_code == 401
    assert (await ada.put(f"{MODELS}/convert/none")).status_code == 404
    shared = add_model(database, None, "for all", type="main", format="checkpoint")
    assert (await ada.put(f"{MODELS}/convert/{shared['key']}")).status_code == 403
    set_plan(database, ada, "starter")
    assert (await ada.put(path)).status_code == 403
    assert not crew.identifier.work_once()


async def test_what_is_no_checkpoint_is_not_converted(ada: Subject, database: TestDatabase) -> None:
    others: list[dict[str, Any]] = [
        {},
        {"type": "main", "base": "flux", "format": "checkpoint"},
        {"type": "main", "format": "diffusers"},
    ]
    for changes in others:
        record = add_model(database, ada.user_id, "other", **changes)
        answer = await ada.put(f"{MODELS}/convert/{record['key']}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_two_who_ask_share_one_conversion(
    site: Site, crew: Crew, ada: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    real = identification._answer

    async def counted(shared: Any, person: Any, look_id: int, *more: Any) -> Any:
        waiting.append(look_id)
        return await real(shared, person, look_id, *more)

    monkeypatch.setattr(identification, "_answer", counted)
    key = (await installed(ada, site, crew))["key"]
    first = asyncio.create_task(ada.put(f"{MODELS}/convert/{key}"))
    second = asyncio.create_task(ada.put(f"{MODELS}/convert/{key}"))
    await eventually(lambda: len(waiting) == 2)
    assert await asyncio.to_thread(crew.identifier.work_once)
    assert not await asyncio.to_thread(crew.identifier.work_once)
    assert ((await first).status_code, (await second).status_code) == (200, 200)
    assert (await first).json() == (await second).json()


@pytest.mark.parametrize("point", ["storing", "turned", "deleted"])
async def test_a_worker_that_dies_leaves_a_model_that_can_be_used(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Whatever the worker was at, the row names files that are whole, and the next worker ends the work."""
    record = await installed(ada, site, crew)
    key = record["key"]

    class Killed(BaseException):
        pass

    def die(*_args: Any, **_more: Any) -> Any:
        raise Killed

    claims = crew.identifier._claims
    with monkeypatch.context() as patched:
        if point == "storing":
            patched.setattr(claims, "convert", die)
        elif point == "turned":
            patched.setattr(ObjectStore, "delete_sync", die)
        else:
            patched.setattr(claims, "converted", die)
        asked = asyncio.create_task(ada.put(f"{MODELS}/convert/{key}"))
        await asked_for(database)
        with pytest.raises(Killed):
            crew.identifier.work_once()
    kept = set(stored(crew, ada))
    assert {file["key"] for file in files_of(database, key)} <= kept
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE model_installs SET lease_until = now() WHERE kind = 'convert'")
    assert await asyncio.to_thread(crew.identifier.work_once)
    answer = await asked
    assert (answer.status_code, answer.json()["format"]) == (200, "diffusers")
    assert stored(crew, ada) == sorted(file["key"] for file in files_of(database, key))


async def test_a_store_that_is_away_costs_nothing(
    site: Site, crew: Crew, ada: Subject, monkeypatch: pytest.MonkeyPatch, database: TestDatabase
) -> None:
    key = (await installed(ada, site, crew))["key"]

    def away(*_args: Any) -> None:
        raise Unavailable("away")

    asked = asyncio.create_task(ada.put(f"{MODELS}/convert/{key}"))
    await asked_for(database)
    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "put_file_sync", away)
        with pytest.raises(Unavailable):
            crew.identifier.work_once()
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE model_installs SET lease_until = now() WHERE kind = 'convert'")
    assert await asyncio.to_thread(crew.identifier.work_once)
    assert (await asked).status_code == 200


async def test_what_cannot_be_converted_stays_as_it_is(
    site: Site, crew: Crew, ada: Subject, monkeypatch: pytest.MonkeyPatch, database: TestDatabase
) -> None:
    record = await installed(ada, site, crew)

    def refuse(_engine: MockEngine, _path: Path, _record: Any, _target: Path) -> None:
        raise InvalidInput(("key",), "It has no text encoder.", code="unusable_model")

    monkeypatch.setattr(MockEngine, "convert", refuse)
    answer = await converted(ada, crew, record["key"])
    assert (answer.status_code, answer.json()["detail"][0]["msg"]) == (422, "It has no text encoder.")
    assert (await ada.get(f"{MODELS}/i/{record['key']}")).json() == record
    assert stored(crew, ada) == [file["key"] for file in files_of(database, record["key"])]


async def test_the_folder_must_fit_the_plan(
    site: Site, crew: Crew, ada: Subject, monkeypatch: pytest.MonkeyPatch, database: TestDatabase
) -> None:
    record = await installed(ada, site, crew)
    with psycopg.connect(database.owner) as connection:  # full to the last byte
        connection.execute("UPDATE subscription_plans SET max_storage_gb = 1 WHERE slug = 'enterprise'")
        connection.execute("UPDATE models SET file_size = %s WHERE key = %s", [2**30, record["key"]])
    answer = await converted(ada, crew, record["key"])
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_quota_exceeded")
    assert stored(crew, ada) == [file["key"] for file in files_of(database, record["key"])]


async def test_a_model_that_is_deleted_meanwhile_leaves_nothing(
    site: Site, crew: Crew, ada: Subject, monkeypatch: pytest.MonkeyPatch, database: TestDatabase
) -> None:
    key = (await installed(ada, site, crew))["key"]
    real = crew.identifier._claims.convert

    def late(*args: Any) -> Any:
        deleted = asyncio.run_coroutine_threadsafe(ada.request("DELETE", f"{MODELS}/i/{key}"), loop).result(
            10
        )
        assert deleted.status_code == 204
        return real(*args)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(crew.identifier._claims, "convert", late)
    asked = asyncio.create_task(ada.put(f"{MODELS}/convert/{key}"))
    await asked_for(database)
    assert await asyncio.to_thread(crew.identifier.work_once)
    assert (await asked).status_code == 422
    assert stored(crew, ada) == []


async def test_a_conversion_outlasts_who_waits_for_it(
    api: RunningApi,
    site: Site,
    crew: Crew,
    ada: Subject,
    database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = await installed(ada, site, crew)
    object.__setattr__(api.services.settings, "convert_seconds", 0.6)
    path = f"{MODELS}/convert/{record['key']}"
    assert (await ada.put(path)).status_code == 503  # no worker
    assert not crew.identifier.work_once()  # and nothing is left of it
    object.__setattr__(api.services.settings, "convert_seconds", 5.0)
    real, go_on = MockEngine.convert, asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(engine: MockEngine, *args: Any) -> None:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(60)
        real(engine, *args)

    monkeypatch.setattr(MockEngine, "convert", slowly)
    asked = asyncio.create_task(ada.put(path))
    await asked_for(database)
    work = asyncio.create_task(asyncio.to_thread(crew.identifier.work_once))
    answer = await asked
    assert (answer.status_code, "still being converted" in answer.json()["detail"]) == (503, True)
    go_on.set()
    assert await work
    assert (await ada.get(f"{MODELS}/i/{record['key']}")).json()["format"] == "diffusers"


async def test_the_lease_is_prolonged_while_a_model_is_worked_on(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (await installed(ada, site, crew))["key"]
    real, found = MockEngine.convert, []

    def slowly(engine: MockEngine, *args: Any) -> None:
        prolonged(database)
        other = crew.identifier._claims.sibling()
        found.append(other.claim("identify", 1.0))
        other.close()
        real(engine, *args)

    monkeypatch.setattr(identify, "_BEAT_SECONDS", 0.2)
    monkeypatch.setattr(MockEngine, "convert", slowly)
    assert (await converted(ada, crew, key)).status_code == 200
    assert found == [None]  # nobody else got it
