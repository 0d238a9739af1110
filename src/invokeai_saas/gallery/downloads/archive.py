"""A ZIP that is written while it is sent: what is held of it at any time is one piece of one picture."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from invokeai_saas.errors import NotFound
from invokeai_saas.gallery.downloads.repository import Packed
from invokeai_saas.storage.objects import ObjectStore


class Pipe:
    """What a ZipFile writes into. It has no position, so nothing is ever written over."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here for anything but to be taken."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class Archive:
    """Files of the object store as one ZIP. Parameters: pictures: what goes in, in this order."""

    def __init__(self, objects: ObjectStore, pictures: AsyncIterator[Packed]) -> None:
        self._objects = objects
        self._pictures = pictures
        self.count = 0  # of the pictures that are in it

    async def chunks(self) -> AsyncIterator[bytes]:
        """The archive's bytes. A picture that was deleted meanwhile is left out.

        Raises:
            Unavailable: the store can't be reached.
        """
        pipe = Pipe()
        with ZipFile(pipe, "w", ZIP_STORED) as archive:  # type: ignore[call-overload]  # writing asks for no more
            async for picture in self._pictures:
                try:
                    stored = await self._objects.open(picture.s3_key)
                except NotFound:
                    continue
                with archive.open(_entry(picture, stored.size), "w") as entry:
                    async for chunk in stored.chunks:
                        entry.write(chunk)
                        yield pipe.take()
                self.count += 1
        yield pipe.take()


def _entry(picture: Packed, size: int) -> ZipInfo:
    """Sorted into folders by category, as InvokeAI does. Pictures are compressed already and stored as they are."""
    made = picture.created_at.astimezone(UTC)
    entry = ZipInfo(f"{picture.image_category}/{picture.image_name}", made.timetuple()[:6])
    entry.file_size = size
    entry.external_attr = 0o644 << 16  # a file that its owner may write and all may read
    return entry
