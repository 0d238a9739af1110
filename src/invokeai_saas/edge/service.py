"""Deleting files that caches before the store may have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from invokeai_saas.db.session import WriteSession
from invokeai_saas.edge import repository
from invokeai_saas.storage.objects import ObjectStore

_SECONDS = 30.0  # that taking files away may take after the commit


async def remove(db: WriteSession, objects: ObjectStore, keys: Sequence[str]) -> None:
    """Has files of the caller's deleted once this transaction is committed, and purged from every cache soon after.

    Both are written down in the transaction: the scheduler does what a process that dies has not.
    """
    if keys:
        await repository.removed(db, keys)
        db.after_commit(partial(objects.delete, keys), _SECONDS)
