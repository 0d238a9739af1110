"""Transactions of the API: what errors of the database become, and what runs after a commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invokeai_saas.db import roles
from invokeai_saas.db import session as session_module
from invokeai_saas.db.session import AfterCommit, Database, open_database
from invokeai_saas.errors import InvalidInput, Unavailable
from invokeai_saas.settings import Settings
from tests.apps import RunningApi, running_api
from tests.servers import TestDatabase

SOMEBODY = uuid4()


@pytest.fixture
async def pools(settings: Settings) -> AsyncIterator[Database]:
    opened = open_database(settings)
    yield opened
    await opened.close()


async def _run(pools: Database, *statements: str, after: AfterCommit | None = None, **values: Any) -> None:
    """One transaction of the API."""
    async with pools.write(SOMEBODY) as session:
        if after:
            session.after_commit(after)
        for statement in statements:
            await session.execute(text(statement), values)


@contextmanager
def _no_more_connections(database: TestDatabase, role: str) -> Iterator[None]:
    """The role may open none, and those it has are ended: as when the server is full after a fail-over."""
    name = psycopg.sql.Identifier(role)
    with psycopg.connect(database.url(), autocommit=True) as admin:
        admin.execute(psycopg.sql.SQL("ALTER ROLE {} CONNECTION LIMIT 0").format(name))
        try:
            _end_connections(admin)
            yield
        finally:
            admin.execute(psycopg.sql.SQL("ALTER ROLE {} CONNECTION LIMIT -1").format(name))


def _end_connections(admin: psycopg.Connection[Any]) -> None:
    admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def _answer(api: RunningApi) -> tuple[int, str | None, bool]:
    """A person's balance: the status, the code, and whether it says when to come back."""
    (client,) = api.clients
    answer = await client.get("/api/v1/credits/balance")
    return answer.status_code, answer.json().get("code"), "retry-after" in answer.headers


async def test_a_full_pool_is_said(database: TestDatabase, tmp_path: Path) -> None:
    small = database.settings(tmp_path, pool_timeout=0.2, reader_pool_size=1, reader_pool_overflow=0)
    async with running_api(small) as api:
        ada = await api.person("ada@example.com")
        assert ada.user_id is not None
        async with api.services.database.read(ada.user_id):
            assert await _answer(api) == (503, "unavailable", True)
        assert (await _answer(api))[0] == 200


async def test_lost_connections_and_a_full_server_are_said(api: RunningApi, database: TestDatabase) -> None:
    await api.person("ada@example.com")
    with _no_more_connections(database, roles.API):
        for _ in range(3):  # the first over a connection that was ended, the others while connecting
            assert await _answer(api) == (503, "unavailable", True)
    assert (await _answer(api))[0] == 200


async def test_no_server_is_said(settings: Settings) -> None:
    away = SecretStr("postgresql+asyncpg://nobody:x@127.0.0.1:9/nothing")
    pools = open_database(settings.model_copy(update={"database_url": away}))
    with pytest.raises(Unavailable):
        await _run(pools, "SELECT 1")


async def test_a_lock_that_somebody_keeps_is_said(pools: Database, database: TestDatabase) -> None:
    with psycopg.connect(database.url()) as other:
        other.execute("LOCK client_state")
        with pytest.raises(Unavailable) as caught:
            await _run(pools, "SET LOCAL lock_timeout = '50ms'", "SELECT 1 FROM client_state")
    assert caught.value.retry_after == 1


@pytest.mark.parametrize("state", ["40001", "40P01", "25006", "57P03", "53200", "08006"])
async def test_what_may_succeed_later_is_unavailable(pools: Database, state: str) -> None:
    with pytest.raises(Unavailable):
        await _run(pools, f"DO $$ BEGIN RAISE 'x' USING ERRCODE = '{state}'; END $$")


@pytest.mark.parametrize("state", ["23505", "42501", "SC402", "P0001"])
async def test_faults_of_ours_and_what_services_translate_stay_as_they_are(
    pools: Database, state: str
) -> None:
    with pytest.raises(DBAPIError):
        await _run(pools, f"DO $$ BEGIN RAISE 'x' USING ERRCODE = '{state}'; END $$")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "a\0b"),
        ("text", "a\ud800b"),
        ("bigint", 2**63),
        ("integer", 2**31),
        ("uuid", "nope"),
        ("timestamptz", "soon"),
    ],
)
async def test_data_that_cannot_be_kept_is_bad_input(pools: Database, kind: str, value: object) -> None:
    with pytest.raises(InvalidInput):
        await _run(pools, f"SELECT CAST(:value AS {kind})", value=value)


async def test_actions_after_a_commit_are_bounded_in_time_and_fail_alone(
    pools: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "AFTER_COMMIT_SECONDS", 0.2)
    done: list[str] = []

    async def hang() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise RuntimeError

    async def act() -> None:
        done.append("acted")

    async def act_slowly() -> None:
        await asyncio.sleep(0.2)
        done.append("slowly")

    async with asyncio.timeout(240):
        async with pools.write(SOMEBODY) as session:
            session.after_commit(fail)
            session.after_commit(act, seconds=30)
            session.after_commit(hang, seconds=0.1)
            session.after_commit(hang)
            session.after_commit(act_slowly, seconds=30)
            assert done == []
    assert done == ["acted", "slowly"]


async def test_a_roll_back_drops_the_actions(pools: Database) -> None:
    done: list[str] = []

    async def act() -> None:
        done.append("acted")

    with pytest.raises(InvalidInput):
        await _run(pools, "SELECT CAST(:value AS text)", after=act, value="\0")
    assert done == []
