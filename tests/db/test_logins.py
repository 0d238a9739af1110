"""Passwords of the database that are renewed under a running API, and URLs that ask for TLS."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]
import httpx
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import make_url, text

from invokeai_saas.db import roles
from invokeai_saas.db.direct import DirectPool
from invokeai_saas.db.logins import only_renewed, writer_login
from invokeai_saas.db.session import open_database
from invokeai_saas.embedded.ports import LOOPBACK, free_port
from invokeai_saas.errors import Unavailable
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD
from tests.aws import Aws
from tests.db.sockets import kept_alive
from tests.mail.adapters.ways import certificate
from tests.processes import saas, wait_for
from tests.servers import PASSWORDS, TestDatabase
from tests.waiting import eventually

ROLES = {"database_url": roles.API, "database_auth_url": roles.AUTH}


@contextmanager
def renewable(database: TestDatabase) -> Iterator[None]:
    """Roles are of the whole server: afterwards their passwords are the suite's again."""
    try:
        yield
    finally:
        for role in ROLES.values():
            _renew(database, role, dict(PASSWORDS.items())[role])


def _renew(database: TestDatabase, role: str, password: str) -> None:
    with psycopg.connect(database.url()) as connection:
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        )


def _cut_off(database: TestDatabase) -> None:
    """Every connection of the API ends: the next ones have to log in."""
    with psycopg.connect(database.url()) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = ANY (%s)",
            [database.name, list(ROLES.values())],
        )


async def test_silence_of_the_other_side_is_noticed(settings: Settings) -> None:
    connection = await writer_login(settings).connect()
    try:
        assert kept_alive(connection._transport.get_extra_info("socket").fileno())
    finally:
        await connection.close()


@pytest.mark.parametrize("first", ["the secret", "the database"])
async def test_the_api_goes_on_when_a_password_is_renewed(
    settings: Settings, database: TestDatabase, aws: Aws, first: str
) -> None:
    """The real process: the same one, by its own word, from before to after; its watch looks all the while."""
    names = {field: f"invokeai/test/{uuid4().hex}" for field in ROLES}
    store = aws.client("secretsmanager")
    for field, name in names.items():
        store.create_secret(Name=name, SecretString=getattr(settings, field).get_secret_value())
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    named = settings.model_copy(
        update={
            "port": port,
            "public_url": url,
            "aws_endpoint_url": aws.url,
            "secrets_check_seconds": 0.2,
            **{field: f"aws-secret:{name}" for field, name in names.items()},
        }
    )

    def renew_secrets() -> None:
        for field, name in names.items():
            before = getattr(settings, field).get_secret_value()
            old = dict(PASSWORDS.items())[ROLES[field]]
            assert f":{old}@" in before
            store.put_secret_value(SecretId=name, SecretString=before.replace(f":{old}@", f":{new}@"))

    def renew_roles() -> None:
        for role in ROLES.values():
            _renew(database, role, new)

    new = secrets.token_urlsafe(16)
    process = saas(named, "api")
    with renewable(database), process:
        wait_for(url)
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            body = {"email": "ada@example.com", "password": PASSWORD}
            client.headers["authorization"] = (
                f"Bearer {(await client.post('/api/v1/auth/sign-up', json=body)).json()['token']}"
            )

            async def works() -> bool:
                """By the sessions' pools, by the direct ones, and by the role that looks people up."""
                answers = [
                    await client.get("/api/v1/account/summary"),
                    await client.get("/api/v1/gallery/item_names"),
                    await client.post("/api/v1/auth/login", json=body),
                ]
                assert {answer.status_code for answer in answers} <= {200, 503}, [a.text for a in answers]
                return all(answer.status_code == 200 for answer in answers)

            await eventually(works)
            pid = process._child.pid if process._child else None
            steps = [renew_secrets, renew_roles] if first == "the secret" else [renew_roles, renew_secrets]
            steps[0]()
            assert await works(), "connections that are there stay"
            steps[1]()
            assert await works()
            _cut_off(database)
            await eventually(works)
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(database.url(roles.API)).close()  # the old one is refused by now
            assert process._child is not None
            assert (process._child.poll(), process._child.pid) == (None, pid)


async def test_a_password_that_stays_wrong_is_said_and_asked_for_once_a_second(
    settings: Settings, database: TestDatabase
) -> None:
    login = writer_login(settings)
    asked: list[str] = []

    def read(setting: str) -> str:
        asked.append(setting)
        return settings.database_url.get_secret_value()

    login._read = read
    pool = DirectPool(login, 2, settings)
    await pool.open()
    with renewable(database):
        _renew(database, roles.API, secrets.token_urlsafe(16))
        for _ in range(2):
            with pytest.raises(Unavailable):
                async with pool.connection():
                    pass
    await pool.close()
    assert asked == ["database_url"]


def test_which_changes_end_no_process() -> None:
    url = "postgresql+asyncpg://invokeai_api:{}@db:5432/invokeai?ssl=require"
    one, two = url.format("one"), url.format("two")
    assert only_renewed("database_url", one, two)
    assert not only_renewed("database_url", one, two.replace("@db", "@other"))
    assert not only_renewed("database_worker_url", one, two)
    assert not only_renewed("redis_url", one, two)
    assert not only_renewed("database_url", one, "not an address")


@pytest.fixture
async def over_tls(settings: Settings, database: TestDatabase, tmp_path: Path) -> AsyncIterator[Settings]:
    """As Aurora is reached: a server that talks by TLS alone. It ends at a proxy, since the wheel's server has none."""
    context, _ = certificate(tmp_path)
    address = make_url(settings.database_url.get_secret_value())
    inside = (address.host, address.port)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that wants TLS says so in clear (PostgreSQL's protocol, SSLRequest); any other is refused.
        if await reader.readexactly(8) != struct.pack(">II", 8, 80877103):
            writer.close()
            return
        writer.write(b"S")
        await writer.start_tls(context)
        far_reader, far_writer = await asyncio.open_connection(*inside)
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

    server = await asyncio.start_server(forward, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    url = address.set(host=LOOPBACK, port=port, query={"ssl": "require"})
    yield settings.model_copy(update={"database_url": SecretStr(url.render_as_string(hide_password=False))})
    server.close()


async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            to.write(data)
            await to.drain()
    to.close()


async def test_pools_of_both_kinds_take_tls_from_the_url(over_tls: Settings) -> None:
    pool = DirectPool(writer_login(over_tls), 1, over_tls)
    await pool.open()
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await pool.close()
    opened = open_database(over_tls)
    async with opened.write(uuid4()) as session:
        assert (await session.execute(text("SELECT 1"))).scalar_one() == 1
    await opened.close()


async def test_without_tls_that_server_lets_nobody_in(over_tls: Settings) -> None:
    plain = SecretStr(over_tls.database_url.get_secret_value().replace("ssl=require", "ssl=disable"))
    login = writer_login(over_tls.model_copy(update={"database_url": plain}))
    with pytest.raises((ConnectionError, asyncpg.PostgresConnectionError)):
        await login.connect(timeout=5)
