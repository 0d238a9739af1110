"""A new look at models that are there, and their conversion, for who asks: a worker does it, and is waited for."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any

from invokeai_saas.catalog import rights
from invokeai_saas.catalog.installs import repository
from invokeai_saas.catalog.installs.conversion import FULL
from invokeai_saas.catalog.installs.looks import wait_for_notice
from invokeai_saas.catalog.installs.schemas import MAX_ID
from invokeai_saas.catalog.installs.tables import ENDED, ModelInstall
from invokeai_saas.catalog.schemas import BulkReidentified, FailedKey
from invokeai_saas.catalog.tables import Model
from invokeai_saas.db.session import WriteSession
from invokeai_saas.errors import (
    BadRequest,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    StorageQuotaExceeded,
    Unavailable,
)
from invokeai_saas.identity.service import Person
from invokeai_saas.services import Services

_BACKSTOP_SECONDS = 5.0  # notices may be lost
_CONVERTIBLE = ("sd-1", "sd-2", "sdxl", "sdxl-refiner")


async def reidentify(shared: Services, person: Person, key: str) -> dict[str, Any]:
    """The record after a worker has looked at the model again; what its person says of it stays.

    Raises:
        NotInPlan, NotFound, Forbidden: see rights.require_changeable.
        InvalidInput: it is none that the engine knows.
        RateLimited: too many looks in a minute.
        Unavailable: no worker was free in time.
    """
    limit = shared.settings.identifies_per_minute
    await shared.limiter.check(str(person.user_id), "identify", limit)
    async with shared.database.write(person.user_id) as db:
        model = await rights.require_changeable(db, person, key)
        look_id = await _ask(db, model)
    return await _answer(shared, person, look_id, "identify", shared.settings.identify_seconds)


async def reidentify_many(shared: Services, person: Person, keys: Iterable[str]) -> BulkReidentified:
    """The same for many, one after the other; says of each that could not be identified why not.

    Each counts against the limit of looks. Once no more can be had, of the limit or of a worker, the rest is not asked
    for and says so.
    """
    succeeded, failed = [], []
    refusal: RateLimited | Unavailable | None = None
    for key in dict.fromkeys(keys):
        if refusal is not None:
            failed.append(FailedKey(key=key, error=refusal.message))
            continue
        try:
            await reidentify(shared, person, key)
            succeeded.append(key)
        except (NotFound, Forbidden, InvalidInput) as error:
            failed.append(FailedKey(key=key, error=error.message))
        except (RateLimited, Unavailable) as error:
            refusal = error
            failed.append(FailedKey(key=key, error=error.message))
    return BulkReidentified(succeeded=succeeded, failed=failed)


async def convert(shared: Services, person: Person, key: str) -> dict[str, Any]:
    """The record after a worker has made a folder of a single-file checkpoint. The model keeps its key.

    A conversion that is under way is waited for, not begun again.

    Raises:
        NotInPlan, NotFound, Forbidden: see rights.require_changeable.
        BadRequest: it is no such checkpoint.
        InvalidInput: it cannot be converted.
        StorageQuotaExceeded: the folder would be larger than the plan has room for.
        Unavailable: no worker was free in time, or it takes longer; it goes on then.
    """
    async with shared.database.write(person.user_id) as db:
        model = await rights.require_changeable(db, person, key)
        _require_checkpoint(model)
        await repository.remove_conversions(db, key)
        look_id = await _ask(db, model, kind="convert", config_in=model.record)
    try:
        return await _answer(shared, person, look_id, "convert", shared.settings.convert_seconds)
    except Unavailable:
        # Somebody else who waited for the same conversion may have heard of its end first.
        async with shared.database.write(person.user_id) as db:
            now = await rights.require_changeable(db, person, key)
        if now.format == "checkpoint":
            raise
        return now.record


def _require_checkpoint(model: Model) -> None:
    """Raises BadRequest; so says InvokeAI, by status."""
    if (model.type, model.format) != ("main", "checkpoint") or model.base not in _CONVERTIBLE:
        raise BadRequest(f"{model.name} is not a single-file checkpoint of Stable Diffusion 1, 2 or XL.")
    if len(model.files) != 1:
        raise BadRequest(f"{model.name} lies in MODEL_DIR. Put the converted folder there in its place.")


async def _ask(
    db: WriteSession, model: Model, kind: str = "identify", config_in: dict[str, Any] | None = None
) -> int:
    """The number of the work: new, or that of the same conversion under way."""
    look_id = secrets.randbelow(MAX_ID)
    parts = [
        {"path": file["path"], "key": file["key"], "bytes": file["size"], "sha256": file["sha256"]}
        for file in model.files
    ]
    added = await repository.add(
        db,
        id=look_id,
        shared=model.user_id is None,
        kind=kind,
        config_in=config_in or {},
        status="downloads_done",
        source={"type": "local", "path": model.path, "inplace": False},
        source_text=model.path,
        model_key=model.key,
        parts=parts,
    )
    running = None if added else await repository.conversion(db, model.key)
    return running if running is not None else look_id


async def _answer(
    shared: Services, person: Person, look_id: int, kind: str, patience: float
) -> dict[str, Any]:
    """Waits for a worker's notice, and then reads what came of it in a short transaction.

    Parameters:
        patience: seconds.
    """
    until = time.monotonic() + patience
    ended = False
    while not ended:
        left = max(0.0, until - time.monotonic())
        await wait_for_notice(shared.redis, look_id, min(_BACKSTOP_SECONDS, left))
        async with shared.database.write(person.user_id) as db:
            row = await repository.install(db, look_id, kind)
            ended = row is None or row.status in ENDED or time.monotonic() >= until
            if row is not None and ended and not _goes_on(row):
                await repository.remove(db, look_id)
    if row is not None and row.status == "completed" and row.config_out is not None:
        return row.config_out
    if row is not None and row.error_type == FULL:
        raise StorageQuotaExceeded(0, 0, row.error)
    if row is not None and row.status == "error":
        raise InvalidInput(("key",), row.error or "It could not be identified.", code="unusable_model")
    if row is not None and _goes_on(row):
        raise Unavailable(
            "This model is still being converted. It changes when that is done.", retry_after=60
        )
    raise Unavailable("No worker was free to look at this model. Please try again.", retry_after=30)


def _goes_on(row: ModelInstall) -> bool:
    """A conversion that a worker has begun is not thrown away because nobody waits for it."""
    return row.kind == "convert" and row.status == "running"
