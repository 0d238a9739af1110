"""Fixtures of the whole suite: servers once, a fresh database for each test that asks for one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
from argon2 import PasswordHasher

from invokeai_saas.embedded import ports
from invokeai_saas.embedded.servers import Addresses, EmbeddedServers
from invokeai_saas.identity import passwords
from invokeai_saas.observability.logs import configure_logs
from invokeai_saas.settings import Settings
from tests import servers
from tests.apps import LiveApi, RunningApi, running_api
from tests.apps import live_api as serve_api
from tests.aws import Aws, aws_server

# What holds for all values is tried on the same ones each time: a change is not refused for what it did not do.
# Every night others are tried.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
hypothesis.settings.register_profile("random", derandomize=False, deadline=None, print_blob=True)
hypothesis.settings.load_profile("random" if os.environ.get("PROPERTIES") == "random" else "suite")

# Short tracebacks without local variables, as in production.
configure_logs("error", process="tests")


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hashes made in this process cost little: a tenth of the suite's time would go to sign-ups. Checking reads the
    cost from the hash. `identity/test_passwords.py` looks at what everybody else gets.
    """
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", quick)
        patch.setattr(passwords, "_NOBODY", quick.hash("nobody has this password"))
        yield


@pytest.fixture(scope="session", autouse=True)
def ports_of_our_own() -> None:
    """Each of the processes that share the tests draws its ports from a part of the range that is its alone: a port
    is free until its server has started.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        ports._RANGE = ports._RANGE[number :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])]


@pytest.fixture(scope="session")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """The suite's own PostgreSQL, Valkey and object store."""
    embedded = EmbeddedServers(tmp_path_factory.mktemp("servers"), durable=False)
    try:
        yield embedded.start()
    finally:
        embedded.stop()


@pytest.fixture(scope="session")
def migrated(addresses: Addresses) -> Addresses:
    """The servers with the migrated template database on them."""
    servers.migrate_template(addresses)
    return addresses


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The suite's own AWS."""
    with aws_server(tmp_path_factory.mktemp("aws") / "aws.log") as running:
        yield running


@pytest.fixture
def database(migrated: Addresses) -> Iterator[servers.TestDatabase]:
    """A database of this test alone."""
    with servers.copied_database(migrated) as copy:
        yield copy


@pytest.fixture
def settings(database: servers.TestDatabase, tmp_path: Path) -> Settings:
    """Settings of an API process on this test's database."""
    return database.settings(tmp_path)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[RunningApi]:
    """The API on this test's database."""
    async with running_api(settings) as running:
        yield running


@pytest.fixture
async def live_api(settings: Settings) -> AsyncIterator[LiveApi]:
    """The API on a real port, for sockets and browsers."""
    async with serve_api(settings) as running:
        yield running
