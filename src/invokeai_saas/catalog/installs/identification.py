"""A new look at models that are there, for who asks: a worker does it, and is waited for."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from typing import Any, NoReturn

from invokeai_saas.catalog import rights
from invokeai_saas.catalog.installs import repository
from invokeai_saas.catalog.installs.schemas import MAX_ID
from invokeai_saas.catalog.installs.tables import ENDED
from invokeai_saas.catalog.schemas import BulkReidentified, FailedKey
from invokeai_saas.catalog.tables import Model
from invokeai_saas.db.session import WriteSession
from invokeai_saas.errors import Forbidden, InvalidInput, NotFound, Unavailable
from invokeai_saas.identity.service import Person
from invokeai_saas.services import Services

_POLL_SECONDS = 0.25


async def reidentify(shared: Services, person: Person, key: str) -> dict[str, Any]:
    """The record after a worker has looked at the model again; what its person says of it stays.

    Raises:
        NotInPlan, NotFound, Forbidden: see rights.require_changeable.
        InvalidInput: it is none that the engine knows.
        Unavailable: no worker was free in time.
    """
    async with shared.database.write(person.user_id) as db:
        model = await rights.require_changeable(db, person, key)
        look_id = await _ask(db, model)
    return await _answer(shared, person, look_id)


async def reidentify_many(shared: Services, person: Person, keys: Iterable[str]) -> BulkReidentified:
    """The same for many; says of each that could not be identified why not."""
    succeeded, failed = [], []
    for key in dict.fromkeys(keys):
        try:
            await reidentify(shared, person, key)
            succeeded.append(key)
        except (NotFound, Forbidden, InvalidInput) as error:
            failed.append(FailedKey(key=key, error=error.message))
    return BulkReidentified(succeeded=succeeded, failed=failed)


async def convert(db: WriteSession, person: Person, key: str) -> NoReturn:
    """Makes folders of single-file checkpoints of Stable Diffusion, which the engine cannot load as they are.

    None can be installed for that very reason, so there is never one to convert: every model gets InvokeAI's answer
    for a model that is not such a checkpoint.

    Raises InvalidInput, and what rights.require_changeable raises.
    """
    model = await rights.require_changeable(db, person, key)
    raise InvalidInput(
        ("key",), f"{model.name} is not a single-file checkpoint of Stable Diffusion 1, 2 or XL."
    )


async def _ask(db: WriteSession, model: Model) -> int:
    look_id = secrets.randbelow(MAX_ID)
    parts = [
        {"path": file["path"], "key": file["key"], "bytes": file["size"], "sha256": file["sha256"]}
        for file in model.files
    ]
    await repository.add(
        db,
        id=look_id,
        shared=model.user_id is None,
        kind="identify",
        status="downloads_done",
        source={"type": "local", "path": model.path, "inplace": False},
        source_text=model.path,
        model_key=model.key,
        parts=parts,
    )
    return look_id


async def _answer(shared: Services, person: Person, look_id: int) -> dict[str, Any]:
    """Waits in short transactions: a worker may be busy for a while."""
    until = time.monotonic() + shared.settings.identify_seconds
    ended = False
    while not ended:
        await asyncio.sleep(_POLL_SECONDS)
        async with shared.database.write(person.user_id) as db:
            row = await repository.install(db, look_id, "identify")
            ended = row is None or row.status in ENDED or time.monotonic() > until
            if ended:
                await repository.remove(db, look_id)
    if row is not None and row.status == "completed" and row.config_out is not None:
        return row.config_out
    if row is not None and row.status == "error":
        raise InvalidInput(("key",), row.error or "It could not be identified.", code="unusable_model")
    raise Unavailable("No worker was free to look at this model. Please try again.", retry_after=30)
