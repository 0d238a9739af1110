"""Writes exports beside the requests of an API process, as downloads of many pictures are written.

An export belongs to the process that began it, which says every so often that it is alive. When it falls silent, the
scheduler fails the export. When somebody else has ended it (its person is being deleted), it stops.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import func

from invokeai_saas.beating import while_beating
from invokeai_saas.db.session import Database
from invokeai_saas.errors import ServiceError
from invokeai_saas.mail import service as mail
from invokeai_saas.privacy import repository
from invokeai_saas.privacy.archive import PersonArchive
from invokeai_saas.settings import Settings
from invokeai_saas.slots import Slots
from invokeai_saas.storage.keys import export_key
from invokeai_saas.storage.objects import ObjectStore

log = structlog.get_logger(__name__)
LEASE = timedelta(seconds=90)
_BEAT = 20.0  # seconds
_AT_ONCE = 1  # of a process: an export may be hundreds of gigabytes


class ExportRunner:
    """The exports of this process."""

    def __init__(self, settings: Settings, database: Database, objects: ObjectStore) -> None:
        self._kept = timedelta(days=settings.export_days)
        self._database = database
        self._objects = objects
        self._slots = Slots(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, user_id: UUID, export_id: UUID) -> None:
        """Begins, and returns at once. The row is committed by now."""
        task = asyncio.create_task(self._run(user_id, export_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends what is being written; it has failed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, user_id: UUID, export_id: UUID) -> None:
        try:
            await self._write(user_id, export_id)
            log.info("export_ready", export=str(export_id), tenant=str(user_id))
        except LookupError:  # ended by somebody else: what came to be stored is nobody's
            log.warning("export_lost", export=str(export_id))
            with suppress(ServiceError):
                await self._objects.delete([export_key(user_id, export_id)])
        except asyncio.CancelledError:
            await self._fail(user_id, export_id)
            raise
        except Exception as error:
            log.error("export_failed", export=str(export_id), exc_info=error)
            await self._fail(user_id, export_id)

    async def _write(self, user_id: UUID, export_id: UUID) -> None:
        """Raises LookupError when the export is under way no more."""

        async def in_turn() -> None:
            async with self._slots.turn(user_id):
                await self._record(user_id, export_id, state="running")
                size = await self._store(user_id, export_id)
            await self._ready(user_id, export_id, size)

        async def alive() -> None:
            await self._record(user_id, export_id, alive_until=func.now() + LEASE)

        await while_beating(in_turn(), alive, _BEAT)

    async def _store(self, user_id: UUID, export_id: UUID) -> int:
        async with self._database.read(user_id) as session:
            expected = await repository.picture_bytes(session)
        archive = PersonArchive(self._database, self._objects, user_id)
        key = export_key(user_id, export_id)
        return await self._objects.put_stream(key, archive.chunks(), "application/zip", expected)

    async def _ready(self, user_id: UUID, export_id: UUID, size: int) -> None:
        """The row says so, and its person is told, in one transaction."""
        done = {"state": "ready", "file_size_bytes": size, "finished_at": func.now()}
        async with self._database.write(user_id) as session:
            expires = await repository.change_export(
                session, export_id, **done, expires_at=func.now() + self._kept
            )
            told = {"expires_at": expires, "bytes": size}
            await mail.enqueue(session, "export_ready", str(export_id), told)

    async def _record(self, user_id: UUID, export_id: UUID, **values: object) -> None:
        async with self._database.write(user_id) as session:
            await repository.change_export(session, export_id, **values)

    async def _fail(self, user_id: UUID, export_id: UUID) -> None:
        """A file, if there is one, goes when the scheduler looks."""
        try:
            await self._record(user_id, export_id, state="failed", finished_at=func.now())
        except LookupError:
            return  # it has ended by another way
        except Exception as error:
            log.warning("export_not_ended", export=str(export_id), error=repr(error))
