"""A person's archive, written while it is stored: memory holds a page of rows, or a piece of a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from invokeai_saas.db.session import Database
from invokeai_saas.errors import NotFound
from invokeai_saas.gallery.downloads.archive import Pipe
from invokeai_saas.privacy import repository
from invokeai_saas.privacy.declared import EXPORTED, HELD, Held
from invokeai_saas.storage.keys import person_prefixes
from invokeai_saas.storage.objects import ObjectStore

_PAGE, _HEAVY_PAGE = 500, 10  # rows
_FIRST = """\
This is everything that your account has, as of {now:%Y-%m-%d %H:%M} UTC.

data/   one JSON file for each kind of record, as our database has it
files/  your pictures and videos, and the pictures of your workflows, presets and models

Not in here, and why:
{left_out}
- models: the files themselves. data/models.json says which they are, data/model_installs.json where they came from.
"""


class PersonArchive:
    """Parameters: user_id: whose. Every row is read in their name, so that row-level security holds for it too."""

    def __init__(self, database: Database, objects: ObjectStore, user_id: UUID) -> None:
        self._database = database
        self._objects = objects
        self._user_id = user_id
        self._made = datetime.now(UTC)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The archive's bytes. A file that was deleted meanwhile is left out.

        Raises:
            Unavailable: the store or the database can't be reached.
        """
        pipe = Pipe()
        with ZipFile(pipe, "w", ZIP_STORED) as archive:  # type: ignore[call-overload]  # writing asks for no more
            archive.writestr(self._entry("README.txt"), _first(self._made))
            for held in EXPORTED:
                async for _ in self._records(archive, held):
                    yield pipe.take()
            for held in EXPORTED:
                async for key in self._files(held):
                    async for _ in self._file(archive, key):
                        yield pipe.take()
        yield pipe.take()

    async def _records(self, archive: ZipFile, held: Held) -> AsyncIterator[None]:
        """A JSON list of the rows; comes back after each page."""
        before = b"["
        with archive.open(self._entry(f"data/{held.table}.json"), "w", force_zip64=True) as entry:
            async for page in self._pages(held):
                for_page = await asyncio.to_thread(_encoded, page.rows)
                await asyncio.to_thread(entry.write, before + for_page)
                before = b",\n"
                yield
            entry.write(b"[]\n" if before == b"[" else b"]\n")
        yield

    async def _pages(self, held: Held) -> AsyncIterator[repository.Page]:
        """No transaction stays open while a page is written."""
        limit, after = (_HEAVY_PAGE if held.heavy else _PAGE), None
        while True:
            async with self._database.read(self._user_id) as session:
                page = await repository.page(session, held, after, limit)
            if page.rows:
                yield page
            if len(page.rows) < limit:
                return
            after = page.last

    async def _files(self, held: Held) -> AsyncIterator[str]:
        if not held.files:
            return
        async for page in self._pages(held):
            for row in page.rows:
                for column in held.files:
                    if row[column]:
                        yield row[column]

    async def _file(self, archive: ZipFile, key: str) -> AsyncIterator[None]:
        """As it is: pictures and videos are compressed already. Comes back after each piece."""
        try:
            stored = await self._objects.open(key)
        except NotFound:
            return
        info = self._entry(f"files/{self._name(key)}", ZIP_STORED)
        info.file_size = stored.size
        with archive.open(info, "w", force_zip64=True) as entry:
            async for chunk in stored.chunks:
                entry.write(chunk)
                yield

    def _name(self, key: str) -> str:
        own, models = person_prefixes(self._user_id)
        return key.removeprefix(own) if key.startswith(own) else f"models/{key.removeprefix(models)}"

    def _entry(self, name: str, method: int = ZIP_DEFLATED) -> ZipInfo:
        entry = ZipInfo(name, self._made.timetuple()[:6])
        entry.compress_type = method
        entry.external_attr = 0o644 << 16  # a file that its owner may write and all may read
        return entry


def _first(now: datetime) -> str:
    left_out = "\n".join(f"- {held.table}: {held.unexported}." for held in HELD if held.unexported)
    return _FIRST.format(now=now, left_out=left_out)


def _encoded(rows: list[dict[str, Any]]) -> bytes:
    """Rows as the inside of a JSON list."""
    return ",\n".join(json.dumps(row, default=_plain, ensure_ascii=False) for row in rows).encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    raise TypeError(f"a {type(value).__name__} in an export")  # such as bytes, which leave by no way
