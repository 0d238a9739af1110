"""Bodies that are too large are refused, whether they say so or not."""

from __future__ import annotations

from collections.abc import AsyncIterator

from invokeai_saas.settings import Settings
from tests.apps import running_api


async def _drip() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"x" * 1000


async def test_large_bodies_are_refused(settings: Settings) -> None:
    async with running_api(settings.model_copy(update={"max_body_bytes": 2000})) as api:
        nobody = api.nobody()
        for content in (b"x" * 3000, _drip()):
            answer = await nobody.post("/api/v1/auth/login", content=content)
            assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
        small = await nobody.post("/api/v1/auth/login", json={"email": "a@example.com", "password": "x"})
        assert small.status_code == 401


async def test_paths_that_take_files_have_a_limit_of_their_own(settings: Settings) -> None:
    async with running_api(
        settings.model_copy(update={"max_body_bytes": 2000, "max_upload_bytes": 5000})
    ) as api:
        nobody = api.nobody()
        assert (await nobody.post("/api/v1/images/upload", content=b"x" * 7000)).status_code == 401
        assert (await nobody.post("/api/v1/images/upload", content=b"x" * 7001)).status_code == 413
        assert (await nobody.post("/api/v1/images/upload/", content=b"x" * 2001)).status_code == 413
