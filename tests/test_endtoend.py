"""The end-to-end test as a deployment's pipeline runs it: a command, against a base URL."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx
import pytest

from invokeai_saas.endtoend import Visit, run
from invokeai_saas.errors import SetupError
from tests.apps import PASSWORD, LiveApi
from tests.graphs import add_model
from tests.servers import TestDatabase
from tests.workers import working


async def _e2e(url: str, *options: str, **environment: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, what it printed, what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "invokeai_saas", "e2e", "--url", url, *options),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return process.returncode, json.loads(out or b"{}"), err.decode()


async def _pictures(client: httpx.AsyncClient) -> list[str]:
    return list((await client.get("/api/v1/images/names")).json()["image_names"])


async def test_a_deployment_that_works_passes(live_api: LiveApi, database: TestDatabase) -> None:
    add_model(database)
    person = await live_api.person("e2e@example.com")
    async with working(live_api.settings):
        code, report, said = await _e2e(live_api.url, E2E_EMAIL="e2e@example.com", E2E_PASSWORD=PASSWORD)
        assert code == 0, said
        assert "e2e@example.com" in said
        assert PASSWORD not in said
        available = (await person.get("/api/v1/account/summary")).json()["available"]
        assert report["credits"] == 500 - available >= 1
        assert 0 < report["seconds"] <= report["credits"]
        assert await _pictures(person.client) == []  # it takes back what it made
        code, report, said = await _e2e(live_api.url + "/")  # a stranger
        assert (code, report["credits"] >= 1) == (0, True), said


async def test_no_worker_is_no_deployment(live_api: LiveApi, database: TestDatabase) -> None:
    add_model(database)
    code, report, said = await _e2e(live_api.url, "--seconds", "2")
    assert (code, report) == (1, {})
    assert "no picture within 2 seconds" in " ".join(said.split())


async def test_what_is_not_there_fails_with_a_sentence(live_api: LiveApi) -> None:
    code, _, said = await _e2e("http://127.0.0.1:1")
    assert (code, "cannot be reached" in " ".join(said.split())) == (1, True)
    code, _, said = await _e2e(live_api.url)
    assert (code, "No Stable Diffusion 1 model" in " ".join(said.split())) == (1, True)


@pytest.mark.parametrize(
    "asked",
    [
        Visit("https://example.com/path"),
        Visit("example.com"),
        Visit("https://example.com", email="a@example.com"),
    ],
    ids=["path", "scheme", "password"],
)
async def test_what_is_asked_wrongly_is_said(asked: Visit) -> None:
    with pytest.raises(SetupError):
        await run(asked, lambda _text: None)
