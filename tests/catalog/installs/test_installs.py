"""Installs from end to end, over the API, with real files, the real database and object store."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
import struct
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from invokeai_saas.storage.objects import open_object_store
from invokeai_saas.worker.mock import MockEngine
from tests.apps import RunningApi, Subject
from tests.catalog.installs.crew import Crew
from tests.catalog.installs.sources import Site, endless, redirecting, safetensors, send_bytes, slow
from tests.catalog.people import MODELS, add_model, set_plan
from tests.servers import TestDatabase
from tests.waiting import eventually

INSTALL = f"{MODELS}/install"
GOOD = safetensors()


async def _install(
    subject: Subject, source: str, config: dict[str, Any] | None = None, **query: str
) -> dict[str, Any]:
    answer = await subject.post(INSTALL, params={"source": source, **query}, json=config or {})
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def _job(subject: Subject, install_id: int) -> dict[str, Any]:
    job: dict[str, Any] = (await subject.get(f"{INSTALL}/{install_id}")).json()
    return job


def _stored(crew: Crew, prefix: str) -> list[str]:
    store = open_object_store(crew.settings)._store
    return sorted(entry["path"] for page in store.list(prefix) for entry in page)


async def test_a_file_becomes_a_model_of_ones_own(
    api: RunningApi, site: Site, crew: Crew, ada: Subject, bob: Subject
) -> None:
    site.files["/dl/1/style.safetensors"] = GOOD
    url = f"{site.url}/dl/1/style.safetensors"
    begun = await _install(
        ada, url, {"name": "My style", "trigger_phrases": ["zig"]}, access_token="hf_secret"
    )
    assert (begun["status"], begun["download_parts"], begun["inplace"]) == ("waiting", [], False)
    assert begun["source"] == {"type": "url", "url": url, "access_token": None}
    assert "hf_secret" not in json.dumps(begun)
    assert (await _install(ada, url))["id"] == begun["id"]  # under way: no second one
    await crew.work()
    done = await _job(ada, begun["id"])
    assert (done["status"], done["bytes"], done["total_bytes"]) == ("completed", len(GOOD), len(GOOD))
    assert site.asked == [("/dl/1/style.safetensors", None, "Bearer hf_secret")]
    record = done["config_out"]
    prefix = f"models/users/{ada.user_id}/{record['key']}"
    assert record["path"] == f"{prefix}/style.safetensors"
    assert (record["name"], record["trigger_phrases"], record["source"]) == ("My style", ["zig"], url)
    assert (record["type"], record["base"], record["source_type"]) == ("lora", "sd-1", "url")
    assert (await ada.get(f"{MODELS}/i/{record['key']}")).json() == record
    assert _stored(crew, prefix) == [f"{prefix}/style.safetensors"]
    assert (await api.services.objects.get(f"{prefix}/style.safetensors")).data == GOOD
    (part,) = done["download_parts"]
    assert (part["status"], part["bytes"], part["source"]) == ("completed", len(GOOD), url)
    # Nobody else sees the model or the install.
    assert (await bob.get(f"{MODELS}/i/{record['key']}")).status_code == 404
    assert (await bob.get(f"{INSTALL}/{begun['id']}")).status_code == 404
    assert (await bob.get(INSTALL)).json() == []
    with psycopg.connect(crew.settings.database_owner_url.get_secret_value()) as connection:
        assert connection.execute("SELECT access_token FROM model_installs").fetchall() == [(None,)]
    # Deleting it takes the file along.
    assert (await ada.request("DELETE", f"{MODELS}/i/{record['key']}")).status_code == 204
    assert _stored(crew, prefix) == []


async def test_events_go_to_the_person_who_installs(site: Site, crew: Crew, ada: Subject) -> None:
    site.files["/a.safetensors"] = GOOD
    job = await _install(ada, f"{site.url}/a.safetensors")
    await crew.work()
    assert {user for user, _, _ in crew.sent} == {str(ada.user_id)}
    names = [event for _, event, _ in crew.sent if not event.endswith("progress")]
    assert names == [
        "model_install_download_started", "download_started", "download_complete", "model_install_downloads_complete",
        "model_install_started", "model_install_complete",
    ]  # fmt: skip
    for event in names:
        payload = crew.events(event)[0]
        if event.startswith("model_install"):
            assert (payload["id"], payload["source"]) == (job["id"], job["source"]), event
        else:
            assert payload["source"] == f"{site.url}/a.safetensors"
    assert crew.events("model_install_complete")[0]["config"]["type"] == "lora"


async def test_a_repository_becomes_a_folder(site: Site, crew: Crew, ada: Subject) -> None:
    """The mock engine knows no folders, so what is looked at is what was stored; the refusal takes it out again."""
    files = {
        "model_index.json": b'{"_class_name": "P", "unet": ["diffusers", "UNet2DConditionModel"]}',
        "unet/config.json": b"{}", "unet/diffusion_pytorch_model.safetensors": GOOD,
        "unet/diffusion_pytorch_model.bin": b"pickle", "run.py": b"print()", "big.safetensors": GOOD,
    }  # fmt: skip
    site.repository("owner/pipe", files)
    listed = await ada.get(f"{MODELS}/hugging_face", params={"hugging_face_repo": "owner/pipe"})
    assert listed.json() == {"urls": None, "is_diffusers": True}
    job = await _install(ada, "owner/pipe")
    crew.downloads.look()
    await crew.idle()
    done = await _job(ada, job["id"])
    assert done["status"] == "downloads_done", done
    prefix = done["local_path"]
    assert _stored(crew, prefix) == [
        f"{prefix}/model_index.json", f"{prefix}/unet/config.json",
        f"{prefix}/unet/diffusion_pytorch_model.safetensors",
    ]  # fmt: skip
    await crew.work()
    done = await _job(ada, job["id"])
    assert (done["status"], done["error_reason"]) == ("error", "invalid_input")
    assert _stored(crew, prefix) == []


async def test_one_file_of_a_repository(site: Site, crew: Crew, ada: Subject) -> None:
    site.repository("owner/loras", {"x/a.safetensors": GOOD, "b.safetensors": GOOD, "c.bin": b"p"})
    listed = (await ada.get(f"{MODELS}/hugging_face", params={"hugging_face_repo": "owner/loras"})).json()
    assert listed["urls"] == [
        f"{site.url}/owner/loras/resolve/main/{n}" for n in ("x/a.safetensors", "b.safetensors")
    ]
    job = await _install(ada, "owner/loras::x/a.safetensors")
    await crew.work()
    record = (await _job(ada, job["id"]))["config_out"]
    assert record["path"].endswith(f"{record['key']}/a.safetensors")
    assert (record["source"], record["source_type"]) == ("owner/loras::x/a.safetensors", "hf_repo_id")
    several = await _install(ada, "owner/loras")
    await crew.work()
    assert "several models" in (await _job(ada, several["id"]))["error"]


async def test_what_the_hubs_own_link_opens(site: Site, crew: Crew, ada: Subject, tom: Subject) -> None:
    site.repository("owner/one", {"a.safetensors": GOOD})
    site.repository("owner/two", {"a.safetensors": GOOD, "b.safetensors": GOOD})
    for repo, status in (("owner/one", 201), ("owner/two", 200), ("owner/none", 400), ("<b>", 400)):
        answer = await ada.get(f"{INSTALL}/huggingface", params={"source": repo})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert "<b>" not in answer.text
    assert (await tom.get(f"{INSTALL}/huggingface", params={"source": "owner/one"})).status_code == 403
    assert len((await ada.get(INSTALL)).json()) == 1


async def test_who_may_install(
    api: RunningApi, site: Site, crew: Crew, ada: Subject, tom: Subject, staff: Subject
) -> None:
    site.files["/a.safetensors"] = GOOD
    url = f"{site.url}/a.safetensors"
    refused = await tom.post(INSTALL, params={"source": url}, json={})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_in_plan")
    assert (refused.json()["feature"], refused.json()["plans"]) == ("custom_models", ["enterprise"])
    assert (await tom.get(f"{MODELS}/hugging_face", params={"hugging_face_repo": "a/b"})).status_code == 403
    assert (await tom.get(INSTALL)).json() == []
    assert (await api.nobody().post(INSTALL, params={"source": url}, json={})).status_code == 401
    job = await _install(staff, url)
    await crew.work()
    record = (await _job(staff, job["id"]))["config_out"]
    assert record["path"] == f"models/shared/{record['key']}/a.safetensors"
    assert (await tom.get(f"{MODELS}/i/{record['key']}")).json() == record
    assert (await ada.get(INSTALL)).json() == []


@pytest.mark.parametrize(
    ("source", "config", "field"),
    [
        ("/etc/passwd", {}, "source"),
        ("https://example.com/a.safetensors", {}, "source"),
        ("ftp://127.0.0.1/a", {}, "source"),
        ("owner/x", {"path": "models/shared/starter"}, "path"),
        ("owner/x", {"key": "chosen"}, "key"),
        ("owner/x", {"hash": "h"}, "hash"),
        ("owner/x", {"name": "n\0"}, None),
        ("owner/x", {"default_settings": [1]}, "default_settings"),
    ],
)
async def test_what_cannot_be_asked_for(
    site: Site, ada: Subject, source: str, config: dict[str, Any], field: str | None
) -> None:
    answer = await ada.post(INSTALL, params={"source": source}, json=config)
    assert answer.status_code == 422, answer.text
    if field:
        assert field in answer.json()["detail"][0]["loc"]
    assert (await ada.get(INSTALL)).json() == []


HEADER_OF_2_GB = struct.pack("<Q", 2**31) + b"{"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (pickle.dumps({"weights": list(range(100))}), "not a safetensors file"),
        (HEADER_OF_2_GB + bytes(1000), "header"),
        (endless(HEADER_OF_2_GB), "header"),
        (GOOD + b"more", "not whole"),
        (GOOD[:-1], "not whole"),
        (b"<html>please log in</html>", "not a safetensors file"),
        (redirecting("ftp://127.0.0.1/x"), "does not answer|don't go"),
    ],
    ids=["pickle", "header of 2 GB", "endless", "too long", "too short", "web page", "redirect"],
)
async def test_hostile_sources_leave_nothing(
    site: Site, crew: Crew, ada: Subject, monkeypatch: pytest.MonkeyPatch, answer: Any, error: str
) -> None:
    monkeypatch.setattr("invokeai_saas.catalog.installs.download._PAUSE_SECONDS", 0.01)
    site.files["/a.safetensors"] = answer
    job = await _install(ada, f"{site.url}/a.safetensors")
    await crew.work()
    ended = await _job(ada, job["id"])
    assert ended["status"] == "error", ended
    assert any(part in ended["error"] for part in error.split("|")), ended["error"]
    assert [event["error"] for event in crew.events("model_install_error")] == [ended["error"]]
    assert _stored(crew, ended["local_path"]) == []
    assert not (crew.settings.data_dir / "installs" / str(job["id"])).exists()
    assert (await ada.get(f"{MODELS}/")).json() == {"models": []}


async def test_a_pickle_by_its_name_is_not_even_downloaded(site: Site, crew: Crew, ada: Subject) -> None:
    site.files["/a.ckpt"] = endless()
    job = await _install(ada, f"{site.url}/a.ckpt")
    await crew.work()
    assert "safetensors" in (await _job(ada, job["id"]))["error"]


async def test_a_body_without_end_stops_at_the_quota(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase
) -> None:
    with psycopg.connect(database.owner) as connection:  # all of one's storage but a mebibyte is taken
        connection.execute("UPDATE subscription_plans SET max_storage_gb = 1 WHERE slug = 'enterprise'")
        connection.execute(
            "INSERT INTO gallery_state (user_id, version, bytes) VALUES (%s, 1, %s)"
            " ON CONFLICT (user_id) DO UPDATE SET bytes = excluded.bytes",
            [ada.user_id, 2**30 - 2**20],
        )
    huge = json.dumps({"t": {"dtype": "U8", "shape": [2**40], "data_offsets": [0, 2**40]}}).encode()
    site.files["/a.safetensors"] = endless(struct.pack("<Q", len(huge)) + huge)
    job = await _install(ada, f"{site.url}/a.safetensors")
    await crew.work()
    ended = await _job(ada, job["id"])
    assert (ended["status"], ended["error_reason"]) == ("error", "storage_quota_exceeded")
    assert ended["bytes"] < 5 * 2**20

    def declares(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(2**40))
        handler.end_headers()

    site.files["/b.safetensors"] = declares
    declared = await _install(ada, f"{site.url}/b.safetensors")
    await crew.work()
    assert (await _job(ada, declared["id"]))["error_reason"] == "storage_quota_exceeded"
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE gallery_state SET bytes = %s", [2**30])
    full = await ada.post(INSTALL, params={"source": "owner/x"}, json={})
    assert (full.status_code, full.json()["code"]) == (507, "storage_quota_exceeded")


async def test_a_file_that_is_not_the_hubs_is_refused(site: Site, crew: Crew, ada: Subject) -> None:
    site.repository(
        "owner/x", {"a.safetensors": GOOD}, hashes={"a.safetensors": hashlib.sha256(b"").hexdigest()}
    )
    job = await _install(ada, "owner/x")
    await crew.work()
    assert "hash differs" in (await _job(ada, job["id"]))["error"]
    site.repository("owner/y", {"a.safetensors": GOOD})
    site.files["/owner/y/resolve/main/a.safetensors"] = GOOD + b"x"
    longer = await _install(ada, "owner/y")
    await crew.work()
    assert "not as long" in (await _job(ada, longer["id"]))["error"]


async def test_pause_resume_and_cancel(site: Site, crew: Crew, ada: Subject, bob: Subject) -> None:
    data = safetensors({"lora_up": bytes(4_000_000)})
    gate = threading.Event()
    site.files["/a.safetensors"] = slow(data, gate)
    job = await _install(ada, f"{site.url}/a.safetensors")
    path = f"{INSTALL}/{job['id']}"
    crew.downloads.look()

    async def halfway() -> bool:
        return bool((await _job(ada, job["id"]))["bytes"] > 1_000_000)

    await eventually(halfway)
    for action in ("pause", "resume", "restart_failed"):
        assert (await bob.post(f"{path}/{action}")).status_code == 404
    assert (await bob.request("DELETE", path)).status_code == 404
    paused = await ada.post(f"{path}/pause")
    assert (paused.status_code, paused.json()["status"]) == (201, "paused")
    await crew.noticed()
    gate.set()
    await crew.idle()
    assert crew.events("download_paused")
    assert (await _job(ada, job["id"]))["download_parts"][0]["status"] == "paused"
    resumed = await ada.post(f"{path}/resume")
    assert (resumed.status_code, resumed.json()["status"]) == (201, "waiting")
    site.asked.clear()
    await crew.work()
    assert (await _job(ada, job["id"]))["status"] == "completed"
    (asked,) = site.asked
    assert asked[1] is not None and asked[1] != "bytes=0-"  # from where it was
    # What has ended stays as it is.
    assert (await ada.request("DELETE", path)).status_code == 201
    assert (await _job(ada, job["id"]))["status"] == "completed"
    assert (await ada.request("DELETE", INSTALL)).status_code == 204
    assert (await ada.get(INSTALL)).json() == []
    assert len((await ada.get(f"{MODELS}/")).json()["models"]) == 1


async def test_a_cancel_leaves_nothing(site: Site, crew: Crew, ada: Subject) -> None:
    gate = threading.Event()
    data = safetensors({"lora_up": bytes(4_000_000)})
    first = {"config.json": b"{}", "model.safetensors": data}
    site.repository("owner/x", first)
    site.files["/owner/x/resolve/main/model.safetensors"] = slow(data, gate)
    job = await _install(ada, "owner/x")
    crew.downloads.look()

    async def first_stored() -> bool:
        return bool((await _job(ada, job["id"]))["bytes"] > 100_000)

    await eventually(first_stored)
    prefix = (await _job(ada, job["id"]))["local_path"]
    assert _stored(crew, prefix) == [f"{prefix}/config.json"]
    assert (await ada.request("DELETE", f"{INSTALL}/{job['id']}")).status_code == 201
    await crew.noticed()
    gate.set()
    await crew.idle()
    assert (await _job(ada, job["id"]))["status"] == "cancelled"
    assert _stored(crew, prefix) == []
    assert not (crew.settings.data_dir / "installs" / str(job["id"])).exists()


async def test_failed_files_are_downloaded_again(
    site: Site, crew: Crew, ada: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_saas.catalog.installs.download._PAUSE_SECONDS", 0.01)
    site.repository("owner/x", {"config.json": b"{}", "model.safetensors": GOOD})
    del site.files["/owner/x/resolve/main/model.safetensors"]
    job = await _install(ada, "owner/x")
    path = f"{INSTALL}/{job['id']}"
    await crew.work()
    failed = await _job(ada, job["id"])
    assert (failed["status"], [part["status"] for part in failed["download_parts"]]) == (
        "error", ["completed", "error"],
    )  # fmt: skip
    site.files["/owner/x/resolve/main/model.safetensors"] = GOOD
    site.asked.clear()
    other = await ada.post(f"{path}/restart_file", json=f"{site.url}/none")
    assert (other.status_code, other.json()["status"]) == (201, "error")
    again = await ada.post(f"{path}/restart_failed")
    assert (again.status_code, again.json()["status"]) == (201, "waiting")
    crew.downloads.look()
    await crew.idle()
    assert (await _job(ada, job["id"]))["status"] == "downloads_done"
    assert [asked[0] for asked in site.asked] == ["/owner/x/resolve/main/model.safetensors"]


async def test_one_file_is_downloaded_again(site: Site, crew: Crew, ada: Subject) -> None:
    site.files["/a.safetensors"] = b"rubbish"
    job = await _install(ada, f"{site.url}/a.safetensors")
    await crew.work()
    site.files["/a.safetensors"] = GOOD
    answer = await ada.post(f"{INSTALL}/{job['id']}/restart_file", json=f"{site.url}/a.safetensors")
    assert answer.status_code == 201, answer.text
    await crew.work()
    assert (await _job(ada, job["id"]))["status"] == "completed"


async def test_a_broken_connection_goes_on_where_it_was(
    site: Site, crew: Crew, ada: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invokeai_saas.catalog.installs.download._PAUSE_SECONDS", 0.01)
    data = safetensors({"lora_up": bytes(3_000_000)})

    def breaks(handler: Any) -> None:
        if handler.headers.get("range"):
            send_bytes(handler, data)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("ETag", '"v1"')
        handler.end_headers()
        handler.wfile.write(data[:2_000_000])

    site.files["/a.safetensors"] = breaks
    job = await _install(ada, f"{site.url}/a.safetensors")
    await crew.work()
    assert (await _job(ada, job["id"]))["status"] == "completed"
    assert [asked[1] for asked in site.asked] == [None, "bytes=2000000-"]


async def test_the_plan_is_asked_again_when_the_download_begins(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase
) -> None:
    site.files["/a.safetensors"] = GOOD
    job = await _install(ada, f"{site.url}/a.safetensors")
    set_plan(database, ada, "starter")
    await crew.work()
    assert (await _job(ada, job["id"]))["error_reason"] == "not_in_plan"
    assert (await ada.post(f"{INSTALL}/{job['id']}/restart_failed")).status_code == 403
    assert (await ada.request("DELETE", INSTALL)).status_code == 204
    assert site.asked == []


async def test_an_install_whose_process_dies_each_time_is_given_up(
    site: Site, crew: Crew, ada: Subject, database: TestDatabase
) -> None:
    site.files["/a.safetensors"] = GOOD
    job = await _install(ada, f"{site.url}/a.safetensors")
    crew.downloads.look()
    await crew.idle()
    for _ in range(3):  # claimed, and never heard of again
        assert crew.identifier._claims.claim("identify", 0.0) is not None
    await crew.work()
    ended = await _job(ada, job["id"])
    assert (ended["status"], ended["error_reason"]) == ("error", "GivenUp")
    assert _stored(crew, ended["local_path"]) == []
    assert len(crew.events("model_install_error")) == 1


async def test_installs_of_one_person_do_not_make_others_wait(
    site: Site, crew: Crew, ada: Subject, bob: Subject, database: TestDatabase
) -> None:
    for number in range(3):
        await _install(ada, f"{site.url}/{number}.safetensors")
    theirs = await _install(bob, f"{site.url}/b.safetensors")
    claims = crew.downloads._claims
    first, second = claims.claim("download", 60), claims.claim("download", 60)
    assert first is not None and second is not None
    assert (first.user_id, second.id) == (ada.user_id, theirs["id"])


async def test_too_many_at_a_time(site: Site, crew: Crew, ada: Subject) -> None:
    for number in range(20):
        await _install(ada, f"{site.url}/{number}.safetensors")
    refused = await ada.post(INSTALL, params={"source": f"{site.url}/more.safetensors"}, json={})
    assert refused.status_code == 409


@pytest.mark.parametrize("trouble", ["raises", "half a record", "NUL"])
async def test_whatever_a_model_brings_about_ends_its_install_and_not_the_worker(
    site: Site, crew: Crew, ada: Subject, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    def identify(self: MockEngine, path: Path, logical: str, said: dict[str, Any]) -> dict[str, Any]:
        if trouble == "raises":
            raise RecursionError
        return real(self, path, logical, said) | (
            {"name": "a\0b"} if trouble == "NUL" else {"file_size": "many", "type": "lora"}
        )

    real = MockEngine.identify
    monkeypatch.setattr(MockEngine, "identify", identify)
    site.files["/a.safetensors"] = GOOD
    job = await _install(ada, f"{site.url}/a.safetensors")
    await crew.work()
    ended = await _job(ada, job["id"])
    if trouble == "NUL":
        assert (ended["status"], ended["config_out"]["name"]) == ("completed", "ab")
        return
    assert (ended["status"], ended["config_out"]) == ("error", None)
    assert _stored(crew, ended["local_path"]) == []
    # Another try downloads it again.
    monkeypatch.setattr(MockEngine, "identify", real)
    assert (await ada.post(f"{INSTALL}/{job['id']}/restart_failed")).json()["status"] == "waiting"
    await crew.work()
    assert (await _job(ada, job["id"]))["status"] == "completed"


# ---- a second look, and models that have gone


async def test_a_second_look_keeps_what_its_person_says(
    site: Site, crew: Crew, ada: Subject, bob: Subject, tom: Subject, database: TestDatabase
) -> None:
    site.files["/a.safetensors"] = GOOD
    job = await _install(ada, f"{site.url}/a.safetensors")
    await crew.work()
    record = (await _job(ada, job["id"]))["config_out"]
    key = record["key"]
    await ada.request("PATCH", f"{MODELS}/i/{key}", json={"name": "Mine", "trigger_phrases": ["p"]})
    with psycopg.connect(database.owner) as connection:  # as an older probe might have taken it
        connection.execute(
            "UPDATE models SET base = 'sdxl', record = record || '{\"base\": \"sdxl\"}' WHERE key = %s", [key]
        )
    path = f"{MODELS}/i/{key}/reidentify"
    assert (await bob.post(path)).status_code == 404
    assert (await tom.post(path)).status_code == 403
    asked = asyncio.create_task(ada.post(path))
    await eventually(lambda: crew.identifier.work_once())
    answer = await asked
    assert answer.status_code == 200, answer.text
    assert answer.json() == record | {"name": "Mine", "trigger_phrases": ["p"]}
    many = asyncio.create_task(ada.post(f"{MODELS}/i/bulk_reidentify", json={"keys": [key, "none"]}))
    await eventually(lambda: crew.identifier.work_once())
    assert (await many).json()["succeeded"] == [key]
    assert [failed["key"] for failed in (await many).json()["failed"]] == ["none"]
    assert len((await ada.get(INSTALL)).json()) == 1  # looks are no installs


async def test_without_a_free_worker_a_look_ends(
    api: RunningApi, ada: Subject, database: TestDatabase, crew: Crew
) -> None:
    record = add_model(
        database,
        ada.user_id,
        "mine",
        files=[{"path": "a.safetensors", "key": "gone", "size": 1, "sha256": "0"}],
    )
    object.__setattr__(api.services.settings, "identify_seconds", 0.3)
    answer = await ada.post(f"{MODELS}/i/{record['key']}/reidentify")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert not crew.identifier.work_once()  # nothing is left of it
    object.__setattr__(api.services.settings, "identify_seconds", 10)
    asked = asyncio.create_task(ada.post(f"{MODELS}/i/{record['key']}/reidentify"))
    await eventually(lambda: crew.identifier.work_once())
    assert (await asked).status_code == 422  # its file is gone; the model stays as it was
    assert (await ada.get(f"{MODELS}/i/{record['key']}")).json() == record
