"""The object store: S3 on AWS, the embedded S3 server on one machine, through the same client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from obstore.exceptions import GenericError, NotModifiedError
from obstore.store import S3Store

from invokeai_saas.errors import NotFound, Unavailable
from invokeai_saas.settings import Settings

_PART_BYTES = 16 * 2**20  # of a large file; ten thousand of them are the most that S3 takes
_AWAY = "The file store cannot be reached right now. Please try again."


class StoredObject(NamedTuple):
    """A file's bytes and the validator that conditional requests compare."""

    data: bytes
    etag: str | None


class ObjectHead(NamedTuple):
    """What a file is, without its bytes. Parameters: size: bytes."""

    size: int
    etag: str | None


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
        except (GenericError, OSError) as error:
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
        except (GenericError, OSError) as error:
            raise Unavailable(_AWAY) from error

    async def head(self, key: str) -> ObjectHead:
        try:
            meta = await self._store.head_async(key)
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except (GenericError, OSError) as error:
            raise Unavailable(_AWAY) from error
        return ObjectHead(meta["size"], meta["e_tag"])

    def get_sync(self, key: str) -> bytes:
        try:
            return bytes(self._store.get(key).bytes())
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except (GenericError, OSError) as error:
            raise Unavailable(_AWAY) from error

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        try:
            await self._store.put_async(key, data, attributes=_attributes(content_type))
        except (GenericError, OSError) as error:
            raise Unavailable(_AWAY) from error

    def put_sync(self, key: str, data: bytes, content_type: str) -> None:
        try:
            self._store.put(key, data, attributes=_attributes(content_type))
        except (GenericError, OSError) as error:
            raise Unavailable(_AWAY) from error

    def put_file_sync(self, key: str, path: Path, content_type: str) -> None:
        """Stores a file of any size, part by part: memory holds a few parts of it."""
        try:
            self._store.put(
                key, path, attributes=_attributes(content_type), chunk_size=_PART_BYTES, max_concurrency=2
            )
        except (GenericError, OSError) as error:
            raise Unavailable(_AWAY) from error

    def chunks_sync(self, key: str) -> Iterator[bytes]:
        """A file of any size, piece by piece."""
        try:
            for chunk in self._store.get(key).stream(min_chunk_size=2**20):
                yield bytes(chunk)
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except (GenericError, OSError) as error:
            raise Unavailable(_AWAY) from error

    def head_sync(self, key: str) -> ObjectHead:
        try:
            meta = self._store.head(key)
        except FileNotFoundError as error:
            raise NotFound("This file") from error
        except (GenericError, OSError) as error:
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
        except (GenericError, OSError) as error:
            raise Unavailable(_AWAY) from error

    def delete_sync(self, keys: Iterable[str]) -> None:
        wanted = list(keys)
        if not wanted:
            return
        try:
            self._store.delete(wanted)
        except FileNotFoundError:
            return
        except (GenericError, OSError) as error:
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
