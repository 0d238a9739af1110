"""Database sessions, and the tenant they act for.

A transaction carries its tenant as a local setting that row-level security reads; nothing else filters by
tenant. Sessions on the writer and on the reader have different types, so that a function that writes cannot be
handed a reader by mistake. The edge (a request's dependency, a job's loop) commits, once; what must only happen
after the commit (ringing a worker, telling a socket) waits in `after_commit`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from invokeai_saas.errors import Unavailable
from invokeai_saas.settings import Settings

AfterCommit = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)
_SET_TENANT = text("SELECT set_config('app.current_user_id', :user_id, true)")


class ReadSession(AsyncSession):
    """A session on the reader: may lag behind the writer, never authorises a spend."""

    user_id: UUID


class WriteSession(AsyncSession):
    """A session on the writer, for one tenant."""

    user_id: UUID

    def after_commit(self, action: AfterCommit) -> None:
        """Runs `action` once this transaction is committed, in the order given; a roll-back drops it."""
        self.info.setdefault("after_commit", []).append(action)


class AuthSessionDb(AsyncSession):
    """A session of the auth role: no tenant is known yet."""


@dataclass(frozen=True)
class Database:
    """The API process's connection pools, one per role and direction."""

    writer: AsyncEngine
    reader: AsyncEngine
    auth: AsyncEngine

    @asynccontextmanager
    async def write(self, user_id: UUID) -> AsyncIterator[WriteSession]:
        """One transaction on the writer for one person: committed on success, rolled back on any error."""
        async with WriteSession(self.writer, expire_on_commit=False) as session:
            async with _transaction(session):
                session.user_id = user_id
                await session.execute(_SET_TENANT, {"user_id": str(user_id)})
                yield session
            for action in session.info.pop("after_commit", []):
                # The commit stands whatever happens here: these are doorbells and notices, which are repeated.
                try:
                    await action()
                except Exception as error:
                    log.warning("after_commit_failed", error=repr(error))

    @asynccontextmanager
    async def read(self, user_id: UUID) -> AsyncIterator[ReadSession]:
        """A read-only transaction on the reader for one person."""
        async with ReadSession(self.reader, expire_on_commit=False) as session, _transaction(session):
            session.user_id = user_id
            await session.execute(_SET_TENANT, {"user_id": str(user_id)})
            yield session

    @asynccontextmanager
    async def authenticate(self) -> AsyncIterator[AuthSessionDb]:
        """One transaction of the auth role."""
        async with AuthSessionDb(self.auth, expire_on_commit=False) as session, _transaction(session):
            yield session

    async def close(self) -> None:
        """Closes every pool."""
        for engine in {self.writer, self.reader, self.auth}:
            await engine.dispose()


@asynccontextmanager
async def _transaction(session: AsyncSession) -> AsyncIterator[None]:
    """A transaction whose lost connections become a 503 that says when to come back."""
    try:
        async with session.begin():
            yield
    except (ConnectionError, TimeoutError) as error:
        raise Unavailable("The database cannot be reached right now. Please try again.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The database connection was lost. Please try again.") from error
        raise


def open_database(settings: Settings) -> Database:
    """Creates the pools; no connection is made yet.

    Sizes are the requirements': writer 20 + 10, reader 30 + 15, 30 s to wait, recycled after 1,800 s.
    """
    shared = {
        "pool_timeout": settings.pool_timeout,
        "pool_recycle": settings.pool_recycle,
        "pool_pre_ping": False,
    }

    def engine(url: str, size: int, overflow: int) -> AsyncEngine:
        return create_async_engine(url, pool_size=size, max_overflow=overflow, **shared)

    api = settings.database_url.get_secret_value()
    reader = settings.database_reader_url.get_secret_value() if settings.database_reader_url else api
    return Database(
        writer=engine(api, settings.writer_pool_size, settings.writer_pool_overflow),
        reader=engine(reader, settings.reader_pool_size, settings.reader_pool_overflow),
        auth=engine(settings.database_auth_url.get_secret_value(), 5, 5),
    )
