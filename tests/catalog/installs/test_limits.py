"""What installs must not leave behind, do for ever, or take from others. Over the API, as the tests beside it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from invokeai_saas.catalog.installs.claims import InstallJob
from invokeai_saas.errors import Unavailable
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from invokeai_saas.worker.mock import MockEngine
from invokeai_saas.worker.modelfiles import ModelFiles
from tests.apps import RunningApi, Subject
from tests.catalog.installs.crew import Crew, prolonged
from tests.catalog.installs.sources import Site, safetensors, slow
from tests.catalog.people import MODELS, add_model
from tests.servers import TestDatabase
from tests.waiting import eventually

INSTALL = f"{MODELS}/install"
GOOD = safetensors()
BIG = safetensors({"lora_up": bytes(4_000_000)})


async def _install(subject: Subject, source: str) -> dict[str, Any]:
    answer = await subject.post(INSTALL, params={"source": source}, json={})
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def _job(subject: Subject, install_id: int) -> dict[str, Any]:
    job: dict[str, Any] = (await subject.get(f"{INSTALL}/{install_id}")).json()
    return job


def _stored(crew: Crew, prefix: str) -> list[str]:
    store = open_object_store(crew.settings)._store
    return sorted(entry["path"] for page in store.list(prefix) for entry in page)


def _wait_is_over(database: TestDatabase) -> None:
    """As if what was handed back had waited for long enough."""
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE model_installs SET lease_until = now() - interval '1 second' WHERE claim IS NULL"
        )


# ---- what must not be left behind, go on for ever, or take what others have


async def _paused_halfway(site: Site, crew: Crew, ada: Subject) -> dict[str, Any]:
    """An install of two files, of which one is stored and half of the other lies on the scheduler's disk."""
    gate = threading.Event()
    site.repository("owner/x", {"config.json": b"{}", "model.safetensors": BIG})
    site.files["/owner/x/resolve/main/model.safetensors"] = slow(BIG, gate)
    job = await _install(ada, "owner/x")
    crew.downloads.look()

    async def halfway() -> bool:
        return bool((await _job(ada, job["id"]))["bytes"] > 1_000_000)

    await eventually(halfway)
    await ada.post(f"{INSTALL}/{job['id']}/pause")
    await crew.noticed()
    gate.set()
    await eventually(lambda: bool(crew.events("download_paused")))
    await crew.idle()
    paused = await _job(ada, job["id"])
    assert _stored(crew, paused["local_path"]) == [f"{paused['local_path']}/config.json"]
    return paused


async def test_a_paused_download_that_is_cancelled_leaves_the_disk(
    site: Site, crew: Crew, ada: Subject
) -> None:
    paused = await _paused_halfway(site, crew, ada)
    left = crew.settings.data_dir / "installs" / str(paused["id"])
    crew.downloads.tidy()
    assert left.exists()  # it may be resumed
    assert (await ada.request("DELETE", f"{INSTALL}/{paused['id']}")).status_code == 201
    crew.downloads.tidy()
    assert not left.exists()
    assert _stored(crew, paused["local_path"]) == []


@pytest.mark.parametrize("restarts", ["restart_file", "restart_file and restart_failed"])
async def test_a_stored_file_that_is_restarted_goes_with_a_cancel(
    site: Site, crew: Crew, ada: Subject, restarts: str
) -> None:
    paused = await _paused_halfway(site, crew, ada)
    path = f"{INSTALL}/{paused['id']}"
    url = f"{site.url}/owner/x/resolve/main/config.json"
    again = await ada.post(f"{path}/restart_file", json=url)
    assert again.json()["status"] == "waiting"
    if "restart_failed" in restarts:
        await ada.post(f"{path}/pause")
        await ada.post(f"{path}/restart_failed")
    assert (await ada.request("DELETE", path)).status_code == 201
    assert _stored(crew, paused["local_path"]) == []


async def test_a_restarted_file_that_the_source_calls_otherwise_replaces_the_first(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase
) -> None:
    paused = await _paused_halfway(site, crew, ada)
    with psycopg.connect(database.owner) as connection:  # as if the address had led to another file
        connection.execute(
            "UPDATE model_installs SET parts = jsonb_set(parts, '{0,path}', '\"other.json\"') WHERE id = %s",
            [paused["id"]],
        )
    path = f"{INSTALL}/{paused['id']}"
    await ada.post(f"{path}/restart_file", json=f"{site.url}/owner/x/resolve/main/config.json")
    crew.downloads.look()
    await crew.idle()
    prefix = paused["local_path"]
    assert _stored(crew, prefix) == [f"{prefix}/model.safetensors", f"{prefix}/other.json"]


async def test_an_install_that_is_handed_back_again_and_again_is_given_up(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("The file store cannot be reached right now.")

    site.files["/a.safetensors"] = GOOD
    job = await _install(ada, f"{site.url}/a.safetensors")
    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "put_file_sync", away)
        for _ in range(3):
            assert (await _job(ada, job["id"]))["status"] in ("waiting", "downloading")
            crew.downloads.look()
            await crew.idle()
            _wait_is_over(database)
    ended = await _job(ada, job["id"])
    assert (ended["status"], ended["error_reason"]) == ("error", "ServiceAway")
    assert "file store" in ended["error"] and "Restart it later" in ended["error"]
    assert [event["error"] for event in crew.events("model_install_error")] == [ended["error"]]
    assert [part["status"] for part in ended["download_parts"]] == ["error"]
    await ada.post(f"{INSTALL}/{job['id']}/restart_failed")
    await crew.work()
    assert (await _job(ada, job["id"]))["status"] == "completed"


async def test_identifying_that_is_handed_back_keeps_what_came(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("The file store cannot be reached right now.")

    site.files["/a.safetensors"] = GOOD
    job = await _install(ada, f"{site.url}/a.safetensors")
    crew.downloads.look()
    await crew.idle()
    with monkeypatch.context() as patched:
        patched.setattr(ModelFiles, "fetch", away)
        for _ in range(3):
            with pytest.raises(Unavailable):
                await asyncio.to_thread(crew.identifier.work_once)
            assert not crew.identifier.work_once()  # it waits for a while
            _wait_is_over(database)
    ended = await _job(ada, job["id"])
    assert (ended["status"], ended["error_reason"]) == ("error", "ServiceAway")
    assert len(_stored(crew, ended["local_path"])) == 1
    site.asked.clear()
    await ada.post(f"{INSTALL}/{job['id']}/restart_failed")
    await crew.work()
    assert (await _job(ada, job["id"]))["status"] == "completed"
    assert site.asked == []


async def test_a_process_that_goes_is_no_lost_try(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase
) -> None:
    job = await _install(ada, f"{site.url}/a.safetensors")
    claims = crew.downloads._claims
    for _ in range(5):
        taken = claims.claim("download", 60)
        assert taken is not None and not taken.given_up
        assert claims.hand_back(taken, None) is None
        _wait_is_over(database)
    assert (await _job(ada, job["id"]))["status"] == "downloading"


async def test_a_long_look_is_not_taken_by_another_worker(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_saas.catalog.installs.identify._BEAT_SECONDS", 0.1)
    real = MockEngine.identify
    meanwhile: list[InstallJob | None] = []

    def identify(self: MockEngine, path: Path, logical: str, said: dict[str, Any]) -> dict[str, Any]:
        prolonged(database)
        meanwhile.append(other.claim("identify", 60))
        return real(self, path, logical, said)

    other = crew.downloads._claims.sibling()
    monkeypatch.setattr(MockEngine, "identify", identify)
    site.files["/a.safetensors"] = GOOD
    job = await _install(ada, f"{site.url}/a.safetensors")
    await crew.work()
    other.close()
    assert meanwhile == [None]
    assert (await _job(ada, job["id"]))["status"] == "completed"


async def test_two_at_once_do_not_take_the_same_room(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase
) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET max_storage_gb = 1 WHERE slug = 'enterprise'")
    gate = threading.Event()
    most = 700 * 2**20

    def large(handler: Any) -> None:
        """Says that it has 700 MiB, and sends some of them."""
        head = safetensors(
            {"lora_up": b""}, lora_up={"dtype": "U8", "shape": [most], "data_offsets": [0, most]}
        )
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(head) + most))
        handler.end_headers()
        with suppress(OSError):
            handler.wfile.write(head + bytes(2**20))
            gate.wait(120)

    site.files["/a.safetensors"] = site.files["/b.safetensors"] = large
    jobs = [await _install(ada, f"{site.url}/{name}.safetensors") for name in "ab"]
    crew.downloads.look()

    async def one_has_ended() -> list[dict[str, Any]] | None:
        found = [await _job(ada, job["id"]) for job in jobs]
        return [one for one in found if one["status"] == "error"] or None

    ended = await eventually(one_has_ended)
    await asyncio.sleep(2.5)  # beats of the other
    found = [await _job(ada, job["id"]) for job in jobs]
    assert sorted(one["status"] for one in found) == ["downloading", "error"]
    assert ended[0]["error_reason"] == "storage_quota_exceeded"
    gate.set()
    for job in jobs:
        await ada.request("DELETE", f"{INSTALL}/{job['id']}")
    await crew.idle()


async def test_room_that_goes_while_a_download_runs_ends_it(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase
) -> None:
    gate = threading.Event()
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET max_storage_gb = 1 WHERE slug = 'enterprise'")
    site.files["/a.safetensors"] = slow(BIG, gate)
    job = await _install(ada, f"{site.url}/a.safetensors")
    crew.downloads.look()

    async def halfway() -> bool:
        return bool((await _job(ada, job["id"]))["bytes"] > 1_000_000)

    await eventually(halfway)
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "INSERT INTO gallery_state (user_id, version, bytes) VALUES (%s, 1, %s)"
            " ON CONFLICT (user_id) DO UPDATE SET bytes = excluded.bytes",
            [ada.user_id, 2**30 - 2_000_000],
        )
    await asyncio.sleep(1.5)  # a beat
    gate.set()
    await crew.idle()
    assert (await _job(ada, job["id"]))["error_reason"] == "storage_quota_exceeded"


async def test_a_full_disk_is_no_fault_of_the_model(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files["/a.safetensors"] = GOOD
    job = await _install(ada, f"{site.url}/a.safetensors")
    with monkeypatch.context() as patched:
        patched.setattr("invokeai_saas.catalog.installs.room._SPARE_BYTES", 2**60)
        crew.downloads.look()
        await crew.idle()
    assert (await _job(ada, job["id"]))["status"] == "downloading"  # waits for another try
    _wait_is_over(database)
    await crew.work()
    assert (await _job(ada, job["id"]))["status"] == "completed"


# ---- second looks


def _model(database: TestDatabase, ada: Subject) -> str:
    key: str = add_model(
        database,
        ada.user_id,
        "mine",
        files=[{"path": "a.safetensors", "key": "kept", "size": 1, "sha256": "0"}],
    )["key"]
    return key


async def test_looks_are_limited_a_minute(api: RunningApi, ada: Subject, database: TestDatabase) -> None:
    key = _model(database, ada)
    object.__setattr__(api.services.settings, "identifies_per_minute", 2)
    object.__setattr__(api.services.settings, "identify_seconds", 0.1)
    path = f"{MODELS}/i/{key}/reidentify"
    answers = [await ada.post(path) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 429]
    assert int(answers[2].headers["retry-after"]) > 0
    many = await ada.post(f"{MODELS}/i/bulk_reidentify", json={"keys": [key, "another"]})
    assert (many.status_code, many.json()["succeeded"]) == (200, [])
    assert ["Too many" in failed["error"] for failed in many.json()["failed"]] == [True, True]


async def test_who_waits_for_a_look_leaves_the_database_alone(
    api: RunningApi, ada: Subject, database: TestDatabase, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    from invokeai_saas.catalog.installs import identification, repository

    real, asked = repository.install, []

    async def counted(*arguments: Any) -> Any:
        asked.append(arguments)
        return await real(*arguments)

    monkeypatch.setattr(repository, "install", counted)
    monkeypatch.setattr(
        identification, "_BACKSTOP_SECONDS", 3600.0
    )  # so that only the notice can end the wait
    object.__setattr__(api.services.settings, "identify_seconds", 7200.0)
    key = _model(database, ada)
    waiting = asyncio.create_task(ada.post(f"{MODELS}/i/{key}/reidentify"))
    await asyncio.sleep(2)
    assert asked == []
    await eventually(lambda: crew.identifier.work_once())
    assert (await waiting).status_code == 422  # its file is gone
    assert len(asked) == 1


async def test_a_lost_notice_costs_seconds(
    api: RunningApi, ada: Subject, database: TestDatabase, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_saas.catalog.installs.identification._BACKSTOP_SECONDS", 0.5)
    monkeypatch.setattr("invokeai_saas.catalog.installs.identify.leave_notice", lambda *_: None)
    waiting = asyncio.create_task(ada.post(f"{MODELS}/i/{_model(database, ada)}/reidentify"))
    await eventually(lambda: crew.identifier.work_once())
    assert (await waiting).status_code == 422


async def test_pruning_beside_a_failed_look_leaves_the_model_its_files(
    api: RunningApi, ada: Subject, database: TestDatabase, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_saas.catalog.installs.identification._BACKSTOP_SECONDS", 60.0)
    monkeypatch.setattr("invokeai_saas.catalog.installs.identify.leave_notice", lambda *_: None)
    await api.services.objects.put("kept", b"weights", "application/octet-stream")
    key = _model(database, ada)
    object.__setattr__(api.services.settings, "identify_seconds", 2.0)
    waiting = asyncio.create_task(ada.post(f"{MODELS}/i/{key}/reidentify"))
    await eventually(lambda: crew.identifier.work_once())  # its hash differs: the look has failed
    assert (await ada.request("DELETE", INSTALL)).status_code == 204
    assert (await api.services.objects.get("kept")).data == b"weights"
    assert (await waiting).status_code == 422
