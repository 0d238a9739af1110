"""All SQL of watching: calls of the migrations' functions, which answer sums."""

from __future__ import annotations

from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import DictRow, dict_row

Values = dict[str, float]


class Figures:
    """A connection of one role, opened again when it breaks.

    Parameters:
        url: libpq URL of the worker role for the queue, of the billing role for the business.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[DictRow] | None = None

    def close(self) -> None:
        """Closes the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(self, query: LiteralString, values: tuple[object, ...] = ()) -> list[DictRow]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                row_factory=dict_row,
                connect_timeout=5,
                application_name="watching",
                options="-c statement_timeout=20s",
            )
        try:
            return self._connection.execute(query, values).fetchall()
        except psycopg.OperationalError:
            self.close()
            raise

    def queue(self) -> dict[str, Values]:
        """Each tier's figures, see watching_queue."""
        rows = self._rows("SELECT * FROM watching_queue()")
        return {
            row["tier"]: {key: float(value) for key, value in row.items() if key != "tier"} for row in rows
        }

    def business(self) -> Values:
        """See watching_business."""
        (row,) = self._rows("SELECT * FROM watching_business()")
        return {key: float(value) for key, value in row.items()}

    def trace(self, attempt: UUID) -> str | None:
        """The traceparent of an attempt's batch, if it has one."""
        (row,) = self._rows("SELECT watching_trace(%s) AS trace", (attempt,))
        found: str | None = row["trace"]
        return found
