"""Database sessions, and the tenant they act for.

A transaction carries its tenant as a local setting that row-level security reads; nothing else filters by
tenant. Sessions on the writer and on the reader have different types, so that a function that writes cannot be
handed a reader by mistake. The edge (a request's dependency, a job's loop) commits, once; what must only happen
after the commit (ringing a worker, telling a socket) waits in `after_commit`.

Errors of the database that say something to a client leave here as such: `translated` has the list.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog
from asyncpg import (  # type: ignore[import-untyped]
    InterfaceError,
    InternalClientError,
    PostgresError,
)
from sqlalchemy import event, exc, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from invokeai_saas.db.freshness import Freshness
from invokeai_saas.db.logins import Login, reader_login, writer_login
from invokeai_saas.errors import InvalidInput, NotFound, ServiceError, Unavailable
from invokeai_saas.settings import Settings

AfterCommit = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)
_SET_TENANT = text("SELECT set_config('app.current_user_id', :user_id, true)")
_SET_STAFF = text(
    "SELECT set_config('app.staff_session', :session, true), set_config('app.request_id', :request, true),"
    " set_config('app.address', :address, true)"
)
AFTER_COMMIT_SECONDS = 2.0
# SQLSTATEs, by class or in full: https://www.postgresql.org/docs/16/errcodes-appendix.html
_BAD_DATA = "22"
# No connection, no room, shutting down or starting, no longer the writer, a password that is being renewed.
_AWAY = ("08", "53", "57P01", "57P02", "57P03", "25006", "28P01")
WRITER_GONE = ("25006", "57P01", "57P02")
CONNECT_SECONDS = 5.0
_TOO_LONG = "57014"  # ended by statement_timeout
_TRY_AGAIN = ("40001", "40P01", "55P03")  # lost against another transaction


class ReadSession(AsyncSession):
    """A session on the reader: may lag behind the writer, never authorises a spend."""

    user_id: UUID


class _Committing(AsyncSession):
    """A session whose commit something may follow."""

    def after_commit(self, action: AfterCommit, seconds: float | None = None) -> None:
        """Runs `action` once this transaction is committed, in the order given; a roll-back drops it.

        Parameters:
            seconds: given up when it has not ended so long after the commit, usually AFTER_COMMIT_SECONDS. The
                caller waits for it, and servers that hang must not hang everybody: the time is counted for all
                actions together.
        """
        limit = AFTER_COMMIT_SECONDS if seconds is None else seconds
        self.info.setdefault("after_commit", []).append((action, limit))


class WriteSession(_Committing):
    """A session on the writer, for one tenant."""

    user_id: UUID


class AuthSessionDb(AsyncSession):
    """A session of the auth role: no tenant is known yet."""


class StaffDb(_Committing):
    """A session of the staff role: sees what staff may see while the staff session that it names is alive."""


@dataclass(frozen=True)
class Acting:
    """What a transaction of staff names. Parameters: session: digest of the secret that the browser holds."""

    session: bytes
    request_id: str
    address: str


@dataclass(frozen=True)
class Database:
    """The API process's connection pools, one per role and direction."""

    writer: AsyncEngine
    reader: AsyncEngine
    auth: AsyncEngine
    freshness: Freshness | None = None  # where the reader lags behind the writer
    staff: AsyncEngine | None = None  # None where there are no pages for staff

    @asynccontextmanager
    async def write(self, user_id: UUID) -> AsyncIterator[WriteSession]:
        """One transaction on the writer for one person: committed on success, rolled back on any error."""
        async with WriteSession(self.writer, expire_on_commit=False) as session:
            async with _transaction(session):
                session.user_id = user_id
                await session.execute(_SET_TENANT, {"user_id": str(user_id)})
                yield session
            await self.wrote(user_id)  # before anybody is told, and reads
            await follow_up(session.info.pop("after_commit", []))

    @asynccontextmanager
    async def read(self, user_id: UUID) -> AsyncIterator[ReadSession]:
        """A read-only transaction for one person: on the reader, unless they have to see what was just written."""
        fresh = self.freshness is not None and await self.freshness.wanted(user_id)
        engine = self.writer if fresh else self.reader
        async with ReadSession(engine, expire_on_commit=False) as session, _transaction(session):
            session.user_id = user_id
            await session.execute(_SET_TENANT, {"user_id": str(user_id)})
            yield session

    async def wrote(self, user_id: UUID) -> None:
        """Something of this person's has changed: their next reads see it."""
        if self.freshness is not None:
            await self.freshness.mark(user_id)

    @asynccontextmanager
    async def authenticate(self) -> AsyncIterator[AuthSessionDb]:
        """One transaction of the auth role."""
        async with AuthSessionDb(self.auth, expire_on_commit=False) as session, _transaction(session):
            yield session

    @asynccontextmanager
    async def act(self, acting: Acting) -> AsyncIterator[StaffDb]:
        """One transaction of the staff role, on the writer.

        Raises:
            NotFound: there are no pages for staff here.
        """
        if self.staff is None:
            raise NotFound("This page")
        async with StaffDb(self.staff, expire_on_commit=False) as session:
            async with _transaction(session):
                names = {
                    "session": acting.session.hex(),
                    "request": acting.request_id,
                    "address": acting.address,
                }
                await session.execute(_SET_STAFF, names)
                yield session
            await follow_up(session.info.pop("after_commit", []))

    async def close(self) -> None:
        """Closes every pool."""
        for engine in {self.writer, self.reader, self.auth, self.staff} - {None}:
            assert engine is not None
            await engine.dispose()


async def follow_up(actions: Sequence[tuple[AfterCommit, float]]) -> None:
    """Runs what was to follow a commit, within seconds. The commit stands whatever happens here: these are doorbells
    and notices, which are repeated.
    """
    committed = asyncio.get_running_loop().time()
    for action, seconds in actions:
        try:
            async with asyncio.timeout_at(committed + seconds):
                await action()
        except Exception as error:
            log.warning("after_commit_failed", error=repr(error))


async def attempt(action: AfterCommit) -> None:
    """Runs what was to follow a commit and waits for nobody, such as what only joins a batch to be sent."""
    try:
        await action()
    except Exception as error:
        log.warning("after_commit_failed", error=repr(error))


@asynccontextmanager
async def _transaction(session: AsyncSession) -> AsyncIterator[None]:
    async with errors_translated(), session.begin():
        yield


@asynccontextmanager
async def errors_translated() -> AsyncIterator[None]:
    """The database's errors leave as errors of the service where `translated` knows them."""
    try:
        yield
    except (
        exc.SQLAlchemyError,
        PostgresError,
        InterfaceError,
        InternalClientError,
        ConnectionError,
        TimeoutError,
        socket.gaierror,
    ) as error:
        known = translated(error)
        if known is None:
            raise
        # Not its message: that may quote what a person wrote.
        log.warning("database_error", answer=known.code, error=type(error).__name__, state=_state(error))
        raise known from error


def translated(error: Exception) -> ServiceError | None:
    """What a client is told of a database error; None when it is a fault of ours.

    Errors while connecting come as asyncpg's own, later ones wrapped by SQLAlchemy; both carry a SQLSTATE.
    """
    # The internal one is what the driver says of a connection that ended while nobody used it.
    if isinstance(
        error, (ConnectionError, TimeoutError, socket.gaierror, InterfaceError, InternalClientError)
    ):
        return Unavailable("The database cannot be reached right now. Please try again.")
    if isinstance(error, exc.TimeoutError):
        return Unavailable("Too many requests are waiting for the database. Please try again.")
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return Unavailable("The database connection was lost. Please try again.")
    state = _state(error)
    if state.startswith(_AWAY):
        return Unavailable("The database takes no requests right now. Please try again.")
    if state == _TOO_LONG:
        return Unavailable("This takes too long right now. Ask for less at once, or try again later.")
    if state.startswith(_TRY_AGAIN):
        return Unavailable("Somebody else was changing the same thing. Please try again.", retry_after=1)
    if state.startswith(_BAD_DATA):
        return InvalidInput(
            (), "This cannot be stored: a text holds a NUL or half a character, or a number is out of range."
        )
    return None


def _state(error: Exception) -> str:
    """The SQLSTATE; empty where there is none."""
    state: str | None = getattr(error.orig if isinstance(error, exc.DBAPIError) else error, "sqlstate", None)
    return state or ""


def _forget_the_old_writer(context: ExceptionContext) -> None:
    """A server that has become a reader, or is going, serves none of the pool's connections any more: the next ones are
    made anew, to where the writer's name leads by then.
    """
    error = context.original_exception
    if isinstance(error, InternalClientError) or getattr(error, "sqlstate", None) in WRITER_GONE:
        context.is_disconnect = True


def open_database(settings: Settings, freshness: Freshness | None = None) -> Database:
    """Creates the pools; no connection is made yet.

    Parameters:
        freshness: who reads from the writer for a moment; left out where there is no reader apart.

    Sizes are the requirements': writer 20 + 10, reader 30 + 15, 30 s to wait, recycled after 1,800 s.
    """
    shared = {
        "pool_timeout": settings.pool_timeout,
        "pool_recycle": settings.pool_recycle,
        "pool_pre_ping": False,
        "hide_parameters": True,  # they would stand in logs of errors
    }

    def engine(login: Login, size: int, overflow: int) -> AsyncEngine:
        made = create_async_engine(
            "postgresql+asyncpg://",
            pool_size=size,
            max_overflow=overflow,
            async_creator=lambda: login.connect(timeout=CONNECT_SECONDS),
            **shared,
        )
        event.listen(made.sync_engine, "handle_error", _forget_the_old_writer)
        return made

    auth = Login("database_auth_url", settings.database_auth_url.get_secret_value())
    staff = settings.database_staff_url.get_secret_value()
    return Database(
        # The overflow of both are the connections of `db.direct`.
        writer=engine(writer_login(settings), settings.writer_pool_size, 0),
        reader=engine(reader_login(settings), settings.reader_pool_size, 0),
        auth=engine(auth, 5, 5),
        freshness=freshness,
        staff=engine(Login("database_staff_url", staff), 2, 0) if staff else None,
    )
