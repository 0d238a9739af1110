"""The writer dies, or becomes a reader, under load: nothing acknowledged is lost, and nothing of ours has to be started
again.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from invokeai_saas.embedded.ports import LOOPBACK, free_port
from invokeai_saas.embedded.servers import EmbeddedServers
from invokeai_saas.settings import Settings
from tests import servers
from tests.apps import PASSWORD, RunningApi, Subject, running_api
from tests.graphs import add_model, batch_body, seeds
from tests.money import violations
from tests.servers import TestDatabase
from tests.waiting import eventually
from tests.workers import working

QUEUE = "/api/v1/queue/default"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    """Servers that these tests may kill. Their supervisor starts them again, on the same data."""
    with EmbeddedServers(tmp_path_factory.mktemp("failover"), durable=True) as embedded:
        servers.migrate_template(embedded.addresses)
        yield embedded


@pytest.fixture
def writer(cluster: EmbeddedServers) -> Iterator[TestDatabase]:
    # The connection that would drop the database may have died with the server.
    with suppress(psycopg.OperationalError), servers.copied_database(cluster.addresses) as copy:
        add_model(copy)
        yield copy


@pytest.fixture
def on_writer(writer: TestDatabase, tmp_path: Path) -> Settings:
    return writer.settings(tmp_path)


async def _enqueue(ada: Subject) -> int:
    """The status. 200 acknowledges a batch of one job."""
    answer = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(data=seeds(1)))
    if answer.status_code == 200:
        _acknowledged.append(answer.json()["item_ids"][0])
    return answer.status_code


_acknowledged: list[int] = []


async def _serves(api: RunningApi, ada: Subject) -> None:
    """Until what asks each pool has an answer: log-in (auth), a queue (writer), the gallery (reader)."""

    async def look() -> bool:
        answers = [
            (await api.nobody().post("/api/v1/auth/login", json={"email": "x@example.com", "password": "x"})),
            (await ada.get("/api/v1/images/names")),
            (await ada.get(f"{QUEUE}/status")),
        ]
        assert all(answer.status_code in (200, 401, 503) for answer in answers), answers
        return [answer.status_code for answer in answers] == [401, 200, 200]

    await eventually(look)


async def test_a_killed_writer_loses_nothing_that_was_acknowledged(
    cluster: EmbeddedServers, writer: TestDatabase, on_writer: Settings
) -> None:
    _acknowledged.clear()
    refused: list[int] = []
    async with running_api(on_writer) as api, working(on_writer):
        ada = await api.person("ada@example.com")
        over = asyncio.Event()

        async def load() -> None:
            while not over.is_set():
                status = await _enqueue(ada)
                if status != 200:
                    refused.append(status)
                    await asyncio.sleep(0.2)

        clients = [asyncio.create_task(load()) for _ in range(3)]
        await eventually(lambda: len(_acknowledged) >= 5)
        os.kill(cluster.pids()["postgres"], signal.SIGKILL)
        await eventually(lambda: bool(refused))
        before = len(_acknowledged)
        await eventually(lambda: len(_acknowledged) >= before + 5)
        over.set()
        await asyncio.gather(*clients)
        await _serves(api, ada)
        assert set(refused) <= {503, 402}  # 402: the trial's credits are reserved; never a 500
        with psycopg.connect(writer.url()) as connection:
            kept = {id_ for (id_,) in connection.execute("SELECT item_id FROM session_queue").fetchall()}
        assert set(_acknowledged) <= kept
        await _all_end(writer)
    assert violations(writer) == {}


async def _all_end(writer: TestDatabase) -> None:
    """The worker, which was not started again either, gets through them."""

    def left() -> bool:
        with psycopg.connect(writer.url()) as connection:
            row = connection.execute(
                "SELECT count(*) FROM session_queue WHERE status IN ('pending', 'in_progress')"
            ).fetchone()
        assert row is not None
        return bool(row[0] == 0)

    await eventually(left, 90)


def _demote(writer: TestDatabase, *, demoted: bool) -> None:
    """Connections that are open lead to a server that only reads; new ones lead to one that writes.

    That is what a process sees whose connections still go to the old writer after its name has moved on.
    """
    with psycopg.connect(writer.url(), autocommit=True) as connection:
        database = sql.Identifier(writer.name)
        if demoted:
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = off").format(database)
            )
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        else:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def demoted(writer: TestDatabase) -> Iterator[None]:
    """Undoes it: the cluster is the module's."""
    yield
    _demote(writer, demoted=False)


async def _name(ada: Subject) -> int:
    """A write by the auth role's pool."""
    return (await ada.request("PATCH", "/api/v1/auth/me", json={"display_name": uuid4().hex[:8]})).status_code


async def _board(ada: Subject) -> int:
    """A write by the API role's pool of sessions."""
    answer = await ada.post("/api/v1/boards/", params={"board_name": uuid4().hex[:8]})
    return answer.status_code


@pytest.mark.usefixtures("demoted")
async def test_connections_to_an_old_writer_are_given_up(writer: TestDatabase, on_writer: Settings) -> None:
    """A write that meets one is refused with a 503, once a pool; those that follow go to the new writer."""
    _acknowledged.clear()
    async with running_api(on_writer) as api, working(on_writer):
        ada = await api.person("ada@example.com")
        kinds = (_enqueue, _name, _board)
        for write in kinds:  # several connections of each pool are open
            assert set(await asyncio.gather(*(write(ada) for _ in range(4)))) <= {200, 201}
        await _all_end(writer)
        _demote(writer, demoted=True)
        await asyncio.sleep(0.5)
        for write in kinds:
            statuses = [await write(ada) for _ in range(8)]
            assert statuses.count(503) <= 1, (write.__name__, statuses)
            assert set(statuses) <= {200, 201, 503}, (write.__name__, statuses)
        assert (await ada.get("/api/v1/images/names")).status_code == 200
        await _all_end(writer)
    assert violations(writer) == {}


class Gate:
    """The writer's name: forwards to the server, until it is shut. Parameters: port: of the server."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = free_port()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._forward, LOOPBACK, self.port)

    async def shut(self) -> None:
        """Ends what goes through, and lets nobody in."""
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._target)
        self._open |= {writer, far_writer}

        async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while data := await source.read(65536):
                    to.write(data)
                    await to.drain()
            to.close()

        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        self._open -= {writer, far_writer}


async def test_who_is_in_goes_on_reading_while_the_writer_is_away(
    writer: TestDatabase, on_writer: Settings
) -> None:
    gate = Gate(writer.addresses.postgres_port)
    through = {
        name: SecretStr(
            getattr(on_writer, name)
            .get_secret_value()
            .replace(f":{writer.addresses.postgres_port}/", f":{gate.port}/")
        )
        for name in ("database_url", "database_auth_url")
    }
    await gate.open()
    apart = on_writer.model_copy(update={"database_reader_url": on_writer.database_url, **through})
    async with running_api(apart) as api:
        ada = await api.person("ada@example.com")
        assert (await ada.get("/api/v1/images/names")).status_code == 200
        await gate.shut()
        await asyncio.sleep(6)  # longer than a session is believed without being looked up
        read = await ada.get("/api/v1/images/names")
        assert read.status_code == 200, read.text
        assert await _board(ada) == 503
        login = {"email": "ada@example.com", "password": PASSWORD}
        assert (await api.nobody().post("/api/v1/auth/login", json=login)).status_code == 503
        await gate.open()
        await _serves(api, ada)
        assert await _board(ada) in (200, 201)
        await gate.shut()
