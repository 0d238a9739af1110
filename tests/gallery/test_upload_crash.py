"""An API process that is killed between an upload's files and its row."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.gallery import upkeep
from invokeai_saas.queue.claims import Claims
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import open_object_store
from invokeai_saas.worker.events import EventStream
from tests.apps import PASSWORD
from tests.gallery.files import encoded, picture
from tests.servers import TestDatabase
from tests.waiting import eventually


def _environment(settings: Settings) -> dict[str, str]:
    shown = {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in settings
        if value is not None
    }
    return {**os.environ, **shown}


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "invokeai_saas", "api"], env=_environment(settings))


async def test_killed_between_files_and_row(
    settings: Settings, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    there = settings.model_copy(update={"port": port, "public_url": f"http://127.0.0.1:{port}"})
    objects = open_object_store(settings)
    process = _start(there)
    try:
        async with httpx.AsyncClient(base_url=there.public_url, timeout=120) as client:
            person = await eventually(lambda: _sign_up(client))
            folder = f"users/{person['user']['user_id']}/"
            with psycopg.connect(database.owner) as connection:
                connection.execute("LOCK TABLE images IN SHARE MODE")  # the row must wait, the files need not
                upload = asyncio.create_task(_upload(client, person["token"]))
                await eventually(lambda: len(objects.list_sync(folder, None, 10)) == 2)
                process.kill()
                process.wait()
                with pytest.raises(httpx.TransportError):
                    await upload
        await eventually(lambda: _open_transactions(database) == 0)
        with psycopg.connect(database.owner) as connection:
            assert connection.execute("SELECT count(*) FROM images").fetchone() == (0,)
    finally:
        process.kill()
        process.wait()
    claims = Claims(settings.database_worker_url.get_secret_value())
    stream = EventStream(settings.redis_url.get_secret_value())
    monkeypatch.setattr(upkeep, "_PEOPLE", folder)
    await asyncio.to_thread(upkeep.GalleryUpkeep(claims, objects, stream, -5).sweep)  # clocks may differ
    stream.close()
    claims.close()
    assert objects.list_sync(folder, None, 10) == []


async def _sign_up(client: httpx.AsyncClient) -> dict[str, dict[str, str]] | None:
    try:
        answer = await client.post(
            "/api/v1/auth/sign-up", json={"email": "ada@example.com", "password": PASSWORD}
        )
    except httpx.TransportError:
        return None
    found: dict[str, dict[str, str]] = answer.json()
    return found


async def _upload(client: httpx.AsyncClient, token: object) -> httpx.Response:
    return await client.post(
        "/api/v1/images/upload",
        params={"image_category": "user", "is_intermediate": "false"},
        files={"file": ("a.png", encoded(picture()), "image/png")},
        headers={"authorization": f"Bearer {token}"},
    )


def _open_transactions(database: TestDatabase) -> int:
    with psycopg.connect(database.url()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'invokeai_api'"
        ).fetchone()
    assert row is not None
    return int(row[0])
