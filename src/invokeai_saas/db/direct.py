"""What is asked so often that the ORM's share of it counts: text and parameters straight to the driver.

Reads: the tenant is what it is everywhere, a local setting of the transaction that row-level security reads. It
travels in one message with BEGIN, so that a read costs three round trips, and its transaction sees one state of the
database however many statements it has. What is asked is still written with SQLAlchemy, compiled once (`Compiled`).

Writes: a function of the database that is a transaction by itself and takes its tenant as a parameter. Locks are then
held while the database works, and not while messages travel.

Measured on 2 cores: 125 us of CPU a read in the API process where a session costs 535.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql import asyncpg as dialect
from sqlalchemy.sql.compiler import SQLCompiler

from invokeai_saas.db.freshness import Freshness
from invokeai_saas.db.logins import Login
from invokeai_saas.db.session import CONNECT_SECONDS, errors_translated
from invokeai_saas.db.sharing import SHARED
from invokeai_saas.settings import Settings

_STATEMENT_MILLISECONDS = "15000"  # what takes longer takes the database from everybody
_DIALECT = dialect.dialect()  # type: ignore[no-untyped-call]


class Compiled:
    """A statement's text, and the order in which the driver takes its parameters.

    Parameters:
        statement: its parameters are named (`bindparam`); values that it was built with are kept as they are.
        shared: asks for what colleagues share rather than for one's own (`db.sharing`).
    """

    def __init__(self, statement: ClauseElement, *, shared: bool = False) -> None:
        where: dict[str, Any] = {**SHARED, "render_schema_translate": True} if shared else {}
        compiled = statement.compile(dialect=_DIALECT, **where)
        assert isinstance(compiled, SQLCompiler)
        self.text = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._given: dict[str, Any] = dict(compiled.params)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Positional arguments. Parameters: values: by parameter name; they go before the statement's own."""
        return [values.get(name, self._given[name]) for name in self._names]


class DirectPool:
    """Connections with the API's role.

    Parameters:
        login: how they log in.
        size: most connections at a time.
        settings: how long one waits for a connection, and how long one is kept.
    """

    def __init__(self, login: Login, size: int, settings: Settings) -> None:
        self._login = login
        self._size = max(1, size)
        self._wait = settings.pool_timeout
        self._recycle = settings.pool_recycle
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Opens the pool; no connection is made yet."""
        self._pool = await asyncpg.create_pool(
            connect=self._connect,
            min_size=0,
            max_size=self._size,
            max_inactive_connection_lifetime=self._recycle,
            reset=_leave_no_transaction,
        )

    async def _connect(self, _dsn: None = None, **of_the_pool: Any) -> asyncpg.Connection:
        return await self._login.connect(
            timeout=CONNECT_SECONDS,
            server_settings={"statement_timeout": _STATEMENT_MILLISECONDS},
            **of_the_pool,
        )

    async def close(self) -> None:
        """Closes the connections; those that are in use are ended."""
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection without a transaction, and so without a tenant.

        Raises:
            Unavailable: no connection, or none free in time.
            InvalidInput: a value that the database cannot hold.
        """
        assert self._pool is not None
        async with errors_translated(), self._pool.acquire(timeout=self._wait) as connection:
            try:
                yield connection
            except asyncpg.ReadOnlySQLTransactionError:
                # It leads to a server that has become a reader: the next ones go to where the writer's name leads now.
                await self._pool.expire_connections()
                raise


class DirectReads:
    """Read-only transactions.

    Parameters:
        reader: where they go.
        writer: where those of people go who must see what was just written.
        freshness: who these are; left out where there is no reader apart.
    """

    def __init__(self, reader: DirectPool, writer: DirectPool, freshness: Freshness | None = None) -> None:
        self._reader = reader
        self._writer = writer
        self._freshness = freshness

    @asynccontextmanager
    async def read(self, user_id: UUID) -> AsyncIterator[asyncpg.Connection]:
        """A read-only transaction for one person, on one snapshot. Raises as `DirectPool.connection` does."""
        fresh = self._freshness is not None and await self._freshness.wanted(user_id)
        async with (self._writer if fresh else self._reader).connection() as connection:
            # A UUID writes itself in hexadecimal digits and dashes: nothing to escape.
            await connection.execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                f" SELECT set_config('app.current_user_id', '{user_id}', true)"
            )
            yield connection
            await connection.execute("COMMIT")


async def _leave_no_transaction(connection: asyncpg.Connection) -> None:
    """What a connection goes through on its way back: the tenant ends with its transaction."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")
