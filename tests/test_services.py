"""Opening an API process: what it refuses to start without, in Python and on the command line."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest
from pydantic import SecretStr

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
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"DATABASE_URL is not set" in said
    assert b"Traceback" not in said
