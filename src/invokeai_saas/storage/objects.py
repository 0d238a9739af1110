"""The object store: S3 on AWS, the embedded S3 server on one machine, through the same client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, NamedTuple

from obstore.exceptions import BaseError, NotModifiedError, PreconditionError
from obstore.store import S3Store

from invokeai_saas.errors import NotFound, Unavailable
from invokeai_saas.settings import Settings

_AWAY = "The file store cannot be reached right now. Please try again."
# Away, or not letting us in: to whoever asks it is the same.
_FAILURES = (BaseError, OSError)
# Bytes of a part of a file that is written piece by piece, and how many are on their way at once. S3 takes ten
# thousand parts: 80 GB.
_PART = 8 * 2**20
_PARTS_AT_ONCE = 2
_PARTS_EXPECTED = 9000  # of a file whose length is not known beforehand


class StoredObject(NamedTuple):
    """A file's bytes and the validator that conditional requests compare."""

    data: bytes
    etag: str | None


class ObjectHead(NamedTuple):
    """What a file is, without its bytes. Parameters: size: bytes."""

    size: int
    etag: str | None


class Piece(NamedTuple):
    """Some of a file. Parameters: data: its bytes, as many as there are; size: bytes of the whole file."""

    data: bytes
    size: int
    etag: str | None


class ChangedMeanwhile(Exception):
    """The file is not, or no longer, the one whose validator was given."""


class ObjectStream(NamedTuple):
    """A file that is read piece by piece. Parameters: size: bytes."""

    size: int
    chunks: AsyncIterator[bytes]


class ListedObject(NamedTuple):
    """A file in a listing. Parameters: modified: when it was last written; size: bytes."""

    key: str
    modified: datetime
    size: int


class ObjectStore:
    """Files by key. Methods with a `_sync` twin serve the worker, which has no event loop.

    Raises NotFound for a missing key and Unavailable when the store cannot be reached.
    """

    def __init__(self, store: S3Store) -> None:
        self._store = store

    async def get(self, key: str) -> StoredObject:
        try:
            result = await self._store.get_async(key)
            return StoredObject(bytes(await result.bytes_async()), result.meta["e_tag"])
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    async def get_unless(self, key: str, etags: str) -> StoredObject | None:
        """A file; None when its validator is among those of an If-None-Match header."""
        try:
            result = await self._store.get_async(key, options={"if_none_match": etags})
            return StoredObject(bytes(await result.bytes_async()), result.meta["e_tag"])
        except NotModifiedError:
            return None
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    async def piece(
        self, key: str, first: int, end: int, *, match: str | None = None, unless: str | None = None
    ) -> Piece | None:
        """The bytes from `first` up to, not including, `end`; None for one who has the file.

        Parameters:
            match: the file's validator, where only this very file will do.
            unless: an If-None-Match header.

        Raises:
            ChangedMeanwhile: `match` is not the file's validator.
            Unavailable: for a `first` past the end as well: the client tells the two apart by a text alone.
        """
        options: dict[str, object] = {"range": (first, end)}
        if match is not None:
            options["if_match"] = match
        if unless is not None:
            options["if_none_match"] = unless
        try:
            result = await self._store.get_async(key, options=options)  # type: ignore[arg-type]
            data = bytes(await result.bytes_async())
        except NotModifiedError:
            return None
        except PreconditionError as error:
            raise ChangedMeanwhile from error
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error
        return Piece(data, result.meta["size"], result.meta["e_tag"])

    async def open(self, key: str) -> ObjectStream:
        """A file whose bytes come as they are asked for. Reading them can raise Unavailable too."""
        head = await self.head(key)

        async def chunks() -> AsyncIterator[bytes]:
            # Each piece is a request of its own: the client's time-out is for a whole answer, and lines are slow.
            for first in range(0, head.size, _PART):
                piece = await self.piece(key, first, min(head.size, first + _PART), match=head.etag)
                yield piece.data if piece else b""

        return ObjectStream(head.size, chunks())

    async def head(self, key: str) -> ObjectHead:
        try:
            meta = await self._store.head_async(key)
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error
        return ObjectHead(meta["size"], meta["e_tag"])

    def get_sync(self, key: str) -> bytes:
        try:
            return bytes(self._store.get(key).bytes())
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    def get_file_sync(self, key: str, path: Path) -> None:
        """Fetches a file into one of this machine, some megabytes in memory at a time."""
        try:
            size = self._store.head(key)["size"]
            with path.open("wb") as file:
                for first in range(0, size, _PART):
                    file.write(self._store.get_range(key, start=first, end=min(size, first + _PART)))
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        try:
            await self._store.put_async(key, data, attributes=_attributes(content_type))
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    async def put_file(self, key: str, file: IO[bytes], content_type: str) -> None:
        """Stores an open file from its beginning, in parts when it is large."""
        file.seek(0)
        try:
            await self._store.put_async(
                key,
                file,
                attributes=_attributes(content_type),
                chunk_size=_PART,
                max_concurrency=_PARTS_AT_ONCE,
            )
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], content_type: str, expected: int = 0
    ) -> int:
        """Stores what comes piece by piece, all of it or nothing; answers its size in bytes.

        What `chunks` raises leaves here as it is.

        Parameters:
            expected: bytes that there may be: of more than 72 GB the parts are larger, and memory holds a few of them.
        """
        size = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            async for chunk in chunks:
                size += len(chunk)
                yield chunk

        try:
            await self._store.put_async(
                key,
                counted(),
                attributes=_attributes(content_type),
                use_multipart=True,
                chunk_size=max(_PART, -(-expected // _PARTS_EXPECTED)),
                max_concurrency=_PARTS_AT_ONCE,
            )
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error
        return size

    def put_file_sync(self, key: str, file: IO[bytes], content_type: str) -> None:
        """Stores a file of any size, part by part: memory holds a few parts of it."""
        file.seek(0)
        try:
            self._store.put(
                key,
                file,
                attributes=_attributes(content_type),
                chunk_size=_PART,
                max_concurrency=_PARTS_AT_ONCE,
            )
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    def put_sync(self, key: str, data: bytes, content_type: str) -> None:
        try:
            self._store.put(key, data, attributes=_attributes(content_type))
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    def chunks_sync(self, key: str) -> Iterator[bytes]:
        """A file of any size, in pieces. Each is a request of its own: the client's time-out is for a whole answer."""
        try:
            size = self._store.head(key)["size"]
            for first in range(0, size, _PART):
                yield bytes(self._store.get_range(key, start=first, end=min(size, first + _PART)))
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    def range_sync(self, key: str, first: int, end: int) -> bytes:
        """The bytes from `first` up to, not including, `end`."""
        try:
            return bytes(self._store.get_range(key, start=first, end=end))
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    def head_sync(self, key: str) -> ObjectHead:
        try:
            meta = self._store.head(key)
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error
        return ObjectHead(meta["size"], meta["e_tag"])

    async def delete(self, keys: Iterable[str]) -> None:
        """Removes files; missing ones are no error."""
        wanted = list(keys)
        if not wanted:
            return
        try:
            await self._store.delete_async(wanted)
        except FileNotFoundError:
            return
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    def delete_sync(self, keys: Iterable[str]) -> None:
        wanted = list(keys)
        if not wanted:
            return
        try:
            self._store.delete(wanted)
        except FileNotFoundError:
            return
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error

    def list_sync(self, prefix: str, after: str | None, limit: int) -> list[ListedObject]:
        """Files below a prefix in the order of their keys.

        Parameters:
            after: the key before the first; None for the beginning.
            limit: how many at most.
        """
        try:
            listing = self._store.list(prefix, offset=after, chunk_size=limit)
            found = next(iter(listing), [])
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error
        return [ListedObject(entry["path"], entry["last_modified"], entry["size"]) for entry in found]

    def sizes_sync(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Keys of all files below a prefix, with their sizes in bytes."""
        try:
            for found in self._store.list(prefix):
                for entry in found:
                    yield entry["path"], entry["size"]
        except _FAILURES as error:
            raise Unavailable(_AWAY) from error


def _attributes(content_type: str) -> dict[str, str]:
    # Objects never change, but private ones can be deleted: caches may keep them for a person, not for all.
    return {"Content-Type": content_type, "Cache-Control": "private, max-age=31536000, immutable"}


def open_object_store(settings: Settings) -> ObjectStore:
    """The bucket the settings name. Without keys the machine's own role signs (AWS)."""
    options: dict[str, object] = {"bucket": settings.s3_bucket, "region": settings.aws_region}
    if settings.s3_endpoint_url:
        options |= {"endpoint": settings.s3_endpoint_url, "virtual_hosted_style_request": False}
    if settings.aws_access_key_id and settings.aws_secret_access_key:
        options["access_key_id"] = settings.aws_access_key_id.get_secret_value()
        options["secret_access_key"] = settings.aws_secret_access_key.get_secret_value()
    plain = bool(settings.s3_endpoint_url and settings.s3_endpoint_url.startswith("http://"))
    store = S3Store(
        config=options,  # type: ignore[arg-type]
        client_options={"allow_http": plain, "timeout": timedelta(seconds=30)},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
    )
    return ObjectStore(store)
