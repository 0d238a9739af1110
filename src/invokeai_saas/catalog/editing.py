"""Changing and deleting models: one's own, or as one of our staff the shared ones."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from invokeai_saas.catalog import repository, rights
from invokeai_saas.catalog.changes import ModelChanges, ModelRecords
from invokeai_saas.catalog.schemas import BulkDeleted, FailedKey
from invokeai_saas.db.session import WriteSession
from invokeai_saas.errors import Forbidden, NotFound
from invokeai_saas.identity.service import Person
from invokeai_saas.storage.objects import ObjectStore

_DELETE_SECONDS = 20.0  # that taking files away may take after the commit


async def change_model(
    db: WriteSession, records: ModelRecords, person: Person, key: str, changes: ModelChanges
) -> dict[str, Any]:
    """The record after the changes.

    Raises:
        InvalidInput: see ModelRecords.changed.
        NotInPlan, NotFound, Forbidden: see rights.require_changeable.
    """
    model = await rights.require_changeable(db, person, key)
    wanted = records.changed(model.record, changes.given())
    if not wanted:
        return model.record
    record = await repository.change_model(db, key, wanted)
    if record is None:  # deleted meanwhile
        raise NotFound("This model")
    return record


async def delete_model(db: WriteSession, objects: ObjectStore, person: Person, key: str) -> None:
    """Deletes a model; its files go once that is committed.

    Raises: see rights.require_changeable.
    """
    model = await rights.require_changeable(db, person, key, giving_up=True)
    deleted = await repository.delete_model(db, model.key)
    if deleted is None:
        raise NotFound("This model")
    if deleted.files:
        db.after_commit(partial(objects.delete, deleted.files), _DELETE_SECONDS)


async def delete_models(
    db: WriteSession, objects: ObjectStore, person: Person, keys: Iterable[str]
) -> BulkDeleted:
    """Deletes what can be deleted, and says of the rest why not."""
    deleted, failed = [], []
    for key in dict.fromkeys(keys):
        try:
            await delete_model(db, objects, person, key)
            deleted.append(key)
        except (NotFound, Forbidden) as error:
            failed.append(FailedKey(key=key, error=error.message))
    return BulkDeleted(deleted=deleted, failed=failed)
