"""How pools log in at the database: with a password that may be renewed while the process runs.

A connection is made with the password that was good last. Where the database refuses it, the setting's secret is read
again, and the connection made with what it says now. So a password may be renewed at the database first or at the
secret first: connections that are there stay, and those to come find the one that is good.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import structlog
from sqlalchemy.dialects.postgresql import asyncpg as dialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from invokeai_saas.awssecrets import read_again
from invokeai_saas.db.silence import notice_silence
from invokeai_saas.errors import SetupError
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)
_AGAIN = 1.0  # seconds until a secret is read again
# Settings whose pools log in in this way.
RENEWED = frozenset({"database_url", "database_reader_url", "database_auth_url", "database_staff_url"})


class Login:
    """One URL's, for all pools that use it.

    Parameters:
        setting: the field of Settings that the URL is of.
        url: as SQLAlchemy writes it, its driver asyncpg; what stands in its query is what the driver is told.
        read: what the setting's secret says now; None where none is named.
    """

    def __init__(self, setting: str, url: str, read: Callable[[str], str | None] = read_again) -> None:
        self._setting = setting
        self._read = read
        # The driver's own reading of URLs would send `ssl` to the server, which takes it for a setting of its own.
        _, self._options = dialect.dialect().create_connect_args(make_url(url))  # type: ignore[no-untyped-call]
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")

    async def connect(self, **given: Any) -> asyncpg.Connection:
        """A connection. Parameters: given: of asyncpg.connect, besides what the URL says."""
        tried = self._options.get("password")
        try:
            return await self._connect(given)
        except asyncpg.InvalidPasswordError:
            if not await self._renewed(tried):
                raise
        return await self._connect(given)

    async def _connect(self, given: Mapping[str, Any]) -> asyncpg.Connection:
        connection = await asyncpg.connect(**self._options | given)
        # The driver shows its socket to nobody, and has no settings for this.
        notice_silence(connection._transport.get_extra_info("socket").fileno())
        return connection

    async def _renewed(self, tried: str | None) -> bool:
        """Whether there is another password than the one that was refused."""
        async with self._lock:
            if self._options.get("password") == tried and time.monotonic() - self._read_at > _AGAIN:
                self._read_at = time.monotonic()
                try:
                    url = await asyncio.to_thread(self._read, self._setting)
                except SetupError as error:
                    log.warning("secret_not_read", error=str(error))
                    return False
                if url is not None:
                    self._options["password"] = make_url(url).password
            found: bool = self._options.get("password") != tried
        if found:
            log.warning("password_renewed", setting=self._setting)
        return found


def writer_login(settings: Settings) -> Login:
    """With the API's role, where is written."""
    return Login("database_url", settings.database_url.get_secret_value())


def reader_login(settings: Settings) -> Login:
    """With the API's role, where is read: at the writer where no reader is named."""
    if settings.database_reader_url is None:
        return writer_login(settings)
    return Login("database_reader_url", settings.database_reader_url.get_secret_value())


def only_renewed(setting: str, before: str, now: str) -> bool:
    """Whether a setting's other value is a URL of these pools with another password, and the same otherwise."""
    if setting not in RENEWED:
        return False
    try:
        return make_url(before).set(password="") == make_url(now).set(password="")
    except ArgumentError:
        return False
