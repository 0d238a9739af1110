"""How much a person may keep: their files against what their plan allows. `queue_enqueue` asks the same of a batch."""

from __future__ import annotations

from invokeai_saas.billing import service as billing
from invokeai_saas.catalog import service as catalog
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import NotInPlan, StorageQuotaExceeded
from invokeai_saas.gallery import repository
from invokeai_saas.gallery.schemas import StorageUse


async def require_room(session: WriteSession) -> None:
    """Refuses to begin what will be kept when there is no room at all.

    Raises:
        StorageQuotaExceeded: says how much is used, and the limit.
        NotInPlan: there is no live plan.
    """
    limit = await billing.storage_limit(session)
    used = await _used(session)
    if limit is not None and used >= limit:
        raise StorageQuotaExceeded(used, limit)


async def require_fits(session: WriteSession, added: int) -> None:
    """Refuses what this transaction has added if it is more than there was room for.

    Call it when the rows are written: their trigger has counted them and holds the count's lock, so that of two who
    add at once the second sees the first's.

    Parameters:
        added: bytes.

    Raises:
        StorageQuotaExceeded: says how much is used without it, and the limit.
        NotInPlan: there is no live plan.
    """
    limit = await billing.storage_limit(session)
    used = await _used(session)
    if limit is not None and used > limit:
        raise StorageQuotaExceeded(used - added, limit)


async def use(session: ReadSession) -> StorageUse:
    """How much of their storage a person uses. Who has no live plan may keep nothing more, but what there is counts."""
    try:
        limit = await billing.storage_limit(session)
    except NotInPlan:
        limit = 0
    return StorageUse(used=await _used(session), limit=limit)


async def _used(session: ReadSession | WriteSession) -> int:
    """Pictures and videos, and models of one's own."""
    return await repository.stored_bytes(session) + await catalog.own_bytes(session)
