"""What has become, at whoever keeps passwords, of people who stay logged in here and so never pass by there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

import structlog

from invokeai_saas.db.session import Database
from invokeai_saas.errors import ServiceError
from invokeai_saas.identity import repository
from invokeai_saas.identity.credentials import Credentials
from invokeai_saas.identity.following import follow
from invokeai_saas.identity.hashes import KeyedHashes
from invokeai_saas.identity.keys import service as keys_service
from invokeai_saas.settings import Settings

_AT_ONCE = 4  # of a process: log-ins ask whoever keeps passwords, too
_REST = 600.0  # seconds a person is left alone whose program goes on with a key, or with its old token
_REMEMBERED = 20_000  # people
_CLOSING_SECONDS = 5.0

log = structlog.get_logger(__name__)


class CatchingUp:
    """Takes over what changed, as a log-in would; who would not be let in any more is logged out, and their keys end.

    Nobody waits for it. What fails is tried again with the person's next token, or their program's next request.

    Parameters:
        ended: told which sessions and keys have just been ended.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        hashes: KeyedHashes,
        credentials: Credentials,
        ended: Callable[[Collection[UUID]], Awaitable[None]],
    ) -> None:
        self._database = database
        self._settings = settings
        self._hashes = hashes
        self._credentials = credentials
        self._ended = ended
        self._asked: dict[str, float] = {}  # when, by `time.monotonic`
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, sub: str) -> None:
        """Asks about somebody who goes on working, now and then. Parameters: sub: their name there."""
        now = time.monotonic()
        if len(self._tasks) >= _AT_ONCE or now - self._asked.get(sub, -_REST) < _REST:
            return
        if len(self._asked) >= _REMEMBERED:
            self._asked.clear()
        self._asked[sub] = now
        task = asyncio.create_task(self._catch_up(sub))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def at_once(self, sub: str) -> None:
        """Asks about somebody who has come back. Parameters: as of `soon`."""
        self._asked.pop(sub, None)
        self.soon(sub)

    async def close(self) -> None:
        """Waits for those who are being asked about, within seconds."""
        if tasks := set(self._tasks):
            _, left = await asyncio.wait(tasks, timeout=_CLOSING_SECONDS)
            for task in left:
                task.cancel()

    async def _catch_up(self, sub: str) -> None:
        try:
            address = await self._credentials.address(sub)
            if address is None:
                return
            async with self._database.authenticate() as db:
                user = await repository.find_by_sub(db, sub)
            if user is None:
                return
            if address.barred:
                await self._bar(user.id)
            else:
                await follow(self._database, self._settings, self._hashes, user, address)
        except ServiceError as error:
            self._asked.pop(sub, None)
            log.info("address_not_looked_up", code=error.code)
        except Exception:  # nobody else would hear of it
            log.exception("address_not_looked_up")

    async def _bar(self, user_id: UUID) -> None:
        async with self._database.authenticate() as db:
            sessions = await repository.revoke_sessions(db, user_id)
            keys = await keys_service.end_all(db, user_id)
        await self._ended([*sessions, *keys])
        log.info("barred_elsewhere", tenant=str(user_id), sessions=len(sessions), keys=len(keys))
