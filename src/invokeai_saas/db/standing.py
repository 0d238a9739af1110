"""The connection of a process that is no API: synchronous, standing for as long as the process does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, LiteralString

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from psycopg.rows import DictRow, dict_row

from invokeai_saas.db.silence import LIBPQ


class StandingConnection:
    """One connection, opened by the first call and again by the next one after it broke. Safe to use from any thread.

    What it is asked belongs to its subclasses, which are a domain's SQL.

    Parameters:
        url: libpq URL of the role.
    """

    application: ClassVar[str]  # what the database calls it
    statement_seconds: ClassVar[int] = 20  # what takes longer is ended; 0 is no limit

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[DictRow] | None = None
        self._lock = threading.RLock()

    def close(self) -> None:
        """Closes the connection; the next call opens another.

        A statement that is under way in another thread is not waited for: it ends with its connection's own error.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def opened(self) -> Iterator[psycopg.Connection[DictRow]]:
        """The connection, which commits each statement by itself. Other threads wait for it meanwhile.

        Raises:
            psycopg.OperationalError: the connection's own; or its server is not the writer any more. The next call
                opens another one, to where the writer's name leads by then.
        """
        with self._lock:
            try:
                connection = self._connection
                if connection is None or connection.closed:
                    connection = self._connection = psycopg.connect(
                        self._url,
                        autocommit=True,
                        row_factory=dict_row,
                        connect_timeout=10,
                        application_name=self.application,
                        options=f"-c statement_timeout={self.statement_seconds}s",
                        **LIBPQ,
                    )
                yield connection
            except psycopg.OperationalError:
                self.close()
                raise
            except ReadOnlySqlTransaction as error:
                self.close()
                raise psycopg.OperationalError("the server is not the writer any more") from error

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[DictRow]]:
        """A transaction; without a tenant it sees nobody's rows and may call definer functions. Raises as `opened`."""
        with self.opened() as connection, connection.transaction():
            yield connection

    def _rows(self, query: LiteralString, values: Sequence[object] = ()) -> list[DictRow]:
        """All that a statement answers. Raises as `opened`."""
        with self.opened() as connection:
            return connection.execute(query, values).fetchall()

    def _row(self, query: LiteralString, values: Sequence[object] = ()) -> DictRow | None:
        """The first row that a statement answers, if there is one. Raises as `opened`."""
        with self.opened() as connection:
            return connection.execute(query, values).fetchone()

    def _value(self, query: LiteralString, values: Sequence[object] = ()) -> Any:
        """The first column of the first row; None where there is no row. Raises as `opened`."""
        row = self._row(query, values)
        return next(iter(row.values())) if row else None
