"""Files that belong to a row: stored first, recorded second, and gone again when the row did not come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from invokeai_saas.errors import ServiceError
from invokeai_saas.storage.objects import ObjectStore


@dataclass
class Recording:
    """Parameters: done: set it as the last thing before the row's transaction is committed."""

    done: bool = False


@asynccontextmanager
async def unless_recorded(objects: ObjectStore, keys: Sequence[str]) -> AsyncIterator[Recording]:
    """Removes the files when what happens within fails before its row is written.

    When the commit itself fails nobody knows whether the row is there, so the files stay: where a sweep looks, it will
    see.
    """
    recording = Recording()
    try:
        yield recording
    except BaseException:
        if not recording.done:
            await asyncio.shield(_remove(objects, keys))
        raise


async def _remove(objects: ObjectStore, keys: Sequence[str]) -> None:
    with suppress(ServiceError):  # the store is away: what stays is a file that no row names
        await objects.delete(keys)
