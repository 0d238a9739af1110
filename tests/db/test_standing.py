"""The one connection of a process that is no API: opened again when it broke, whatever broke it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from invokeai_saas.db import roles
from invokeai_saas.db.standing import StandingConnection
from tests.db.sockets import kept_alive
from tests.servers import TestDatabase


class Connection(StandingConnection):
    application = "of-a-test"
    statement_seconds = 1

    def pid(self) -> int:
        return int(self._value("SELECT pg_backend_pid()"))

    def nothing(self) -> object:
        return self._value("SELECT 1 WHERE false")

    def sleep(self, seconds: float) -> None:
        self._rows("SELECT pg_sleep(%s)", [seconds])

    def busy(self) -> bool:
        """Whether a statement is under way."""
        assert self._connection is not None
        return self._connection.info.transaction_status is TransactionStatus.ACTIVE

    def become_reader(self) -> None:
        """What a connection sees whose server has been demoted."""
        self._rows("SELECT set_config('default_transaction_read_only', 'on', false)")

    def write(self) -> None:
        self._rows("SELECT queue_forget_keys()")


class Patient(Connection):
    statement_seconds = 0


@pytest.fixture
def connection(database: TestDatabase) -> Iterator[Connection]:
    opened = Connection(database.url(roles.WORKER))
    yield opened
    opened.close()


def test_it_stands(connection: Connection, database: TestDatabase) -> None:
    pid = connection.pid()
    assert connection.pid() == pid
    with psycopg.connect(database.url()) as admin:
        row = admin.execute("SELECT application_name FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
    assert row == ("of-a-test",)


def test_no_row_has_no_value(connection: Connection) -> None:
    assert connection.nothing() is None


def test_one_that_was_ended_is_opened_again(connection: Connection, database: TestDatabase) -> None:
    pid = connection.pid()
    with psycopg.connect(database.url(), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(psycopg.OperationalError):
        connection.pid()
    assert connection.pid() != pid


def test_one_to_an_old_writer_is_given_up(connection: Connection) -> None:
    pid = connection.pid()
    connection.become_reader()
    with pytest.raises(psycopg.OperationalError, match="not the writer"):
        connection.write()
    connection.write()
    assert connection.pid() != pid


def test_so_is_one_that_turned_reader_within_a_transaction(connection: Connection) -> None:
    connection.become_reader()
    with pytest.raises(psycopg.OperationalError, match="not the writer"), connection.transaction() as opened:
        opened.execute("SELECT queue_forget_keys()")
    connection.write()


def test_what_takes_too_long_is_ended(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.sleep(5)
    connection.sleep(0)


def test_a_transaction_is_undone_as_a_whole(connection: Connection) -> None:
    def half() -> None:
        with connection.transaction() as opened:
            opened.execute("CREATE TEMPORARY TABLE half (x int)")
            raise LookupError

    with pytest.raises(LookupError):
        half()
    with connection.opened() as opened:
        row = opened.execute("SELECT to_regclass('half') AS table").fetchone()
    assert row == {"table": None}


def test_silence_of_the_other_side_is_noticed(connection: Connection) -> None:
    with connection.opened() as opened:
        assert kept_alive(opened.fileno())


def test_closing_cuts_off_what_is_under_way(database: TestDatabase) -> None:
    """Who closes is going, and must not wait for a database that does not answer."""
    connection = Patient(database.url(roles.WORKER))
    errors: list[BaseException] = []

    def hang() -> None:
        try:
            connection.sleep(60)
        except psycopg.OperationalError as error:
            errors.append(error)

    connection.pid()
    thread = threading.Thread(target=hang)
    thread.start()
    while not connection.busy():
        time.sleep(0.01)
    connection.close()
    thread.join(120)
    assert len(errors) == 1
    assert connection.nothing() is None
    connection.close()


def test_threads_wait_for_each_others_transactions(connection: Connection) -> None:
    """Statements of another thread would otherwise be part of a transaction, and undone with it."""
    within, asked = threading.Event(), threading.Event()

    def other() -> None:
        within.wait(120)
        connection.pid()
        asked.set()

    thread = threading.Thread(target=other)
    thread.start()
    with connection.transaction():
        within.set()
        assert not asked.wait(0.2)
    assert asked.wait(120)
    thread.join()
