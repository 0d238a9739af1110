"""Prepares downloads beside the requests of an API process.

A download belongs to the process that began it, which says every so often that it is alive. When it falls silent,
the scheduler ends what it had begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, func

from invokeai_saas.beating import while_beating
from invokeai_saas.db.session import Database
from invokeai_saas.errors import ServiceError
from invokeai_saas.gallery.downloads import events, repository
from invokeai_saas.gallery.downloads.archive import Archive
from invokeai_saas.gallery.downloads.repository import Packed
from invokeai_saas.realtime.publisher import Publisher
from invokeai_saas.settings import Settings
from invokeai_saas.slots import Slots
from invokeai_saas.storage.keys import download_key
from invokeai_saas.storage.objects import ObjectStore

log = structlog.get_logger(__name__)
LEASE = timedelta(seconds=90)
_BEAT = 20.0  # seconds
_PAGE = 500  # pictures whose rows are read at once
_FAILED = "The download could not be prepared. Please try again."
_EMPTY = "There are no pictures to download."
_STOPPED = "The server was restarted meanwhile. Please try again."


@dataclass(frozen=True)
class Download:
    """One that was asked for.

    Parameters:
        pictures: conditions that select what goes in.
        shared: what colleagues share goes in, rather than one's own.
    """

    id: UUID
    user_id: UUID
    item_name: str
    pictures: Sequence[ColumnElement[bool]]
    shared: bool = False


class _Lost(Exception):
    """Somebody else has ended this download: its process was silent too long."""


class DownloadRunner:
    """The downloads of this process: so many at once, and of one person one."""

    def __init__(
        self, settings: Settings, database: Database, objects: ObjectStore, publisher: Publisher
    ) -> None:
        self._kept = timedelta(seconds=settings.download_seconds)
        self._database = database
        self._objects = objects
        self._publisher = publisher
        self._slots = Slots(settings.downloads_at_once)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, download: Download) -> None:
        """Begins, and returns at once. The row is committed by now, and the person has had their answer."""
        task = asyncio.create_task(self._run(download))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends what is being prepared; each person is told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, download: Download) -> None:
        try:
            await self._tell(download, "started")
            await self._prepare(download)
            await self._tell(download, "complete")
        except _Lost:
            log.warning("download_lost", download=str(download.id))
        except asyncio.CancelledError:
            await self._fail(download, _STOPPED)
            raise
        except ServiceError as error:
            await self._fail(download, error.message)
        except Exception as error:
            log.error("download_failed", download=str(download.id), exc_info=error)
            await self._fail(download, _FAILED)

    async def _prepare(self, download: Download) -> None:
        async def in_turn() -> None:
            async with self._slots.turn(download.user_id):
                key = download_key(download.user_id, download.id)
                archive = Archive(self._objects, self._pictures(download))
                size = await self._objects.put_stream(key, archive.chunks(), "application/zip")
                if not archive.count:
                    raise ServiceError(_EMPTY)
            until = func.now() + self._kept
            await self._record(download, state="ready", file_size_bytes=size, expires_at=until)

        async def alive() -> None:
            await self._record(download, alive_until=func.now() + LEASE)

        await while_beating(in_turn(), alive, _BEAT)

    async def _pictures(self, download: Download) -> AsyncIterator[Packed]:
        """Row by row, a page at a time: no transaction stays open while files are copied."""
        last = ""
        while True:
            async with self._database.read(download.user_id) as session:
                page = await repository.some(session, download.pictures, last, _PAGE, shared=download.shared)
            for picture in page:
                yield picture
            if len(page) < _PAGE:
                return
            last = page[-1].image_name

    async def _record(self, download: Download, **values: object) -> None:
        async with self._database.write(download.user_id) as session:
            if not await repository.change(session, download.id, **values):
                raise _Lost

    async def _fail(self, download: Download, message: str) -> None:
        """The row says so and the person is told; a file, if there is one, goes when the row does."""
        try:
            await self._record(download, state="failed")
        except _Lost:
            return  # and its person knows
        except Exception as error:
            log.warning("download_not_ended", download=str(download.id), error=repr(error))
            return  # the scheduler will, when the lease is over
        await self._tell(download, "error", error=message)

    async def _tell(self, download: Download, what: str, **more: str) -> None:
        payload = events.payload(download.user_id, download.item_name) | more
        try:
            await self._publisher.publish(download.user_id, f"bulk_download_{what}", payload)
        except Exception as error:
            log.warning("event_lost", socket_event=what, error=repr(error))
