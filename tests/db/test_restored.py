"""The look at a restored database: what it passes, and each thing that it must not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta

import psycopg
import pytest
from psycopg import conninfo

from invokeai_saas.db.restored import look_at
from invokeai_saas.errors import SetupError
from tests.apps import RunningApi
from tests.servers import TestDatabase

_HOUR = timedelta(hours=1)


async def test_a_database_with_people_is_whole(api: RunningApi, database: TestDatabase) -> None:
    await api.person("somebody@example.com")
    look = look_at(database.owner, _HOUR)
    assert look.rows["users"] == 1
    assert look.rows["credit_transactions"] >= 1
    assert timedelta(0) <= look.age < timedelta(minutes=5)


async def test_the_command_looks_at_another_host(api: RunningApi, database: TestDatabase) -> None:
    await api.person("somebody@example.com")
    elsewhere = conninfo.make_conninfo(database.owner, host="nowhere.invalid")
    alone = await asyncio.to_thread(_command, elsewhere)
    assert alone.returncode == 1
    assert "does not answer" in " ".join(alone.stderr.split())
    named = await asyncio.to_thread(_command, elsewhere, "--host", database.addresses.postgres_host)
    assert named.returncode == 0, named.stderr
    assert '"users": 1' in named.stdout


def test_an_empty_one_is_no_backup(database: TestDatabase) -> None:
    with pytest.raises(SetupError, match="empty"):
        look_at(database.owner, _HOUR)


def test_one_without_migrations_is_not_ours(database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute("DROP TABLE alembic_version")
    with pytest.raises(SetupError, match="no migrations"):
        look_at(database.owner, _HOUR)


async def test_an_old_one_is_refused(api: RunningApi, database: TestDatabase) -> None:
    await api.person("somebody@example.com")
    with pytest.raises(SetupError, match="newest row"):
        look_at(database.owner, timedelta(0))


async def test_books_that_do_not_agree_are_refused(api: RunningApi, database: TestDatabase) -> None:
    await api.person("somebody@example.com")
    with psycopg.connect(database.url()) as connection:  # as the superuser: nobody of ours may
        connection.execute("UPDATE credits SET used_credits = used_credits + 1")
    with pytest.raises(SetupError, match="ledger"):
        look_at(database.owner, _HOUR)


def _command(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "invokeai_saas", "admin", "restored", *options]
    env = {**os.environ, "DATABASE_OWNER_URL": url}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
