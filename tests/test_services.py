"""Opening an API process: what it refuses to start without, in Python and on the command line."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from invokeai_saas import services
from invokeai_saas.db.direct import DirectPool
from invokeai_saas.db.session import Database
from invokeai_saas.errors import SetupError
from invokeai_saas.settings import Settings
from tests.apps import running_api

NEEDED = ["database_url", "database_auth_url", "redis_url", "media_signing_key", "identity_secret"]


@pytest.mark.parametrize("name", NEEDED)
async def test_the_api_does_not_open_without(settings: Settings, name: str) -> None:
    with pytest.raises(SetupError, match=name.upper()):
        async with running_api(settings.model_copy(update={name: SecretStr("")})):
            pass


async def test_the_command_says_what_is_missing_and_ends() -> None:
    environment = {k: v for k, v in os.environ.items() if k.lower() not in NEEDED}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "invokeai_saas", "api", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 1
    assert b"DATABASE_URL is not set" in said
    assert b"Traceback" not in said


async def test_what_was_opened_before_a_failure_is_closed_the_last_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    def note(kind: type, name: str) -> None:
        real = getattr(kind, name)

        async def noting(self: object) -> None:
            closed.append(kind.__name__)
            await real(self)

        monkeypatch.setattr(kind, name, noting)

    for kind, name in ((Database, "close"), (DirectPool, "close"), (Redis, "aclose")):
        note(kind, name)

    def away(_: Settings) -> None:
        raise SetupError("There is no object store.", "Start one.")

    monkeypatch.setattr(services, "open_object_store", away)
    with pytest.raises(SetupError, match="object store"):
        async with running_api(settings):
            pass
    assert closed == ["Redis", "DirectPool", "DirectPool", "Database"]
