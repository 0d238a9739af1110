"""The queue for a person: what they see of it, and what they cancel and remove. `enqueue` has what comes in."""

from __future__ import annotations

from collections.abc import Sequence

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import (
    NotFound,
)
from invokeai_saas.queue import events, repository
from invokeai_saas.queue.batches import (
    parse_batch_id,
)
from invokeai_saas.queue.events import QUEUE_ID
from invokeai_saas.queue.items import item, summary
from invokeai_saas.queue.schemas import (
    Counts,
    DestinationCounts,
    Item,
    ItemSummary,
    QueueAndProcessorStatus,
    QueueStatus,
)
from invokeai_saas.services import Services

_ITEM = "This queue item"


async def cancel(shared: Services, db: WriteSession, item_ids: Sequence[int]) -> int:
    """Cancels the person's waiting jobs at once and their running ones at the next step; answers how many."""
    cancelled, gone = await _cancel(shared, db, item_ids)
    if len(gone) == 1:
        event = await repository.status_event(db, gone[0])
        if event is not None:
            db.after_commit(lambda: shared.publisher.publish(db.user_id, "queue_item_status_changed", event))
    else:
        _announce_gone(shared, db, gone)
    return cancelled


async def _cancel(shared: Services, db: WriteSession, item_ids: Sequence[int]) -> tuple[int, list[int]]:
    """Answers how many jobs are cancelled or asked to stop, and which of them have ended with it."""
    cancelled = await repository.cancel(db, item_ids)
    gone = [job.item_id for job in cancelled if job.status == "canceled"]
    for job in cancelled:
        if job.status == "in_progress":
            db.after_commit(lambda item_id=job.item_id: shared.doorbell.ask_to_cancel(item_id))  # type: ignore[misc]
    if gone:
        db.after_commit(lambda: shared.publisher.publish(db.user_id, "credits_changed", {}))
    return len(cancelled), gone


def _announce_gone(shared: Services, db: WriteSession, item_ids: Sequence[int]) -> None:
    if not item_ids:
        return
    payload = events.canceled(db.user_id, item_ids)
    db.after_commit(lambda: shared.publisher.publish(db.user_id, events.CANCELED, payload))


async def cancel_matching(
    shared: Services,
    db: WriteSession,
    *,
    running: bool = True,
    batch_ids: Sequence[str] | None = None,
    destination: str | None = None,
) -> int:
    """Cancels by batch or destination; with `running` false the running ones go on."""
    known = [found for found in map(parse_batch_id, batch_ids) if found] if batch_ids is not None else None
    ids = await repository.item_ids(
        db,
        statuses=repository.LIVE if running else ("pending",),
        batch_ids=known,
        destination=destination,
    )
    return await cancel(shared, db, ids)


async def delete_matching(
    shared: Services, db: WriteSession, *, running: bool = True, destination: str | None = None
) -> int:
    """Cancels jobs and removes them from the list; with `running` false only those that wait.

    Running ones leave the list at once too, and are settled for the seconds that they ran when they have stopped.
    """
    deleted, gone = await _delete_matching(shared, db, running, destination)
    _announce_gone(shared, db, gone)
    return deleted


async def _delete_matching(
    shared: Services, db: WriteSession, running: bool, destination: str | None
) -> tuple[int, list[int]]:
    """Answers how many jobs were removed, and which."""
    statuses = None if running else ("pending",)
    matching = await repository.item_ids(db, statuses=statuses, destination=destination)
    await _cancel(shared, db, matching)
    deleted = await repository.delete(db, matching)
    left = set(await repository.item_ids(db, destination=destination))
    return deleted, [item_id for item_id in matching if item_id not in left]


async def clear(shared: Services, db: WriteSession) -> int:
    """Empties the person's queue."""
    deleted, _ = await _delete_matching(shared, db, True, None)
    payload = {"queue_id": QUEUE_ID, "user_id": str(db.user_id)}
    db.after_commit(lambda: shared.publisher.publish(db.user_id, "queue_cleared", payload))
    return deleted


async def prune(db: WriteSession) -> int:
    """Removes what has ended from the list."""
    return await repository.delete(
        db, await repository.item_ids(db, statuses=("completed", "failed", "canceled"))
    )


async def get_item(db: ReadSession | WriteSession, item_id: int) -> Item:
    """Raises NotFound for another person's, too."""
    found = await _whole(db, await repository.items(db, ids=[item_id]))
    if not found:
        raise NotFound(_ITEM)
    return found[0]


async def cancel_item(shared: Services, db: WriteSession, item_id: int) -> Item:
    """Cancels one job; one that has ended stays as it is. Raises NotFound."""
    await get_item(db, item_id)
    await cancel(shared, db, [item_id])
    db.expire_all()
    return await get_item(db, item_id)


async def delete_item(shared: Services, db: WriteSession, item_id: int) -> None:
    await get_item(db, item_id)
    await cancel(shared, db, [item_id])
    await repository.delete(db, [item_id])


async def _whole(db: ReadSession | WriteSession, rows: Sequence[repository.ItemRow]) -> list[Item]:
    batches = await repository.batches(db, [row.job.batch_id for row in rows])
    return [item(row, batches[row.job.batch_id]) for row in rows]


async def items_by_ids(db: ReadSession, item_ids: Sequence[int]) -> list[Item]:
    return await _whole(db, await repository.items(db, ids=item_ids))


async def list_items(db: ReadSession, destination: str | None) -> list[Item]:
    return await _whole(db, await repository.items(db, destination=destination))


async def summaries_by_ids(db: ReadSession, item_ids: Sequence[int]) -> list[ItemSummary]:
    """In the order asked for; unknown ids are left out."""
    found = {row.job.item_id: summary(row) for row in await repository.items(db, ids=item_ids)}
    return [found[item_id] for item_id in item_ids if item_id in found]


async def live_item(db: ReadSession, *, running: bool) -> Item | None:
    row = await repository.live_item(db, running=running)
    return (await _whole(db, [row]))[0] if row else None


async def status(db: ReadSession) -> QueueAndProcessorStatus:
    queue = QueueStatus.model_validate(await repository.status(db))
    processing = queue.in_progress > 0
    return QueueAndProcessorStatus.model_validate(
        {"queue": queue, "processor": {"is_started": True, "is_processing": processing}}
    )


async def batch_status(db: ReadSession, batch_id: str) -> Counts:
    """Zeros for an unknown batch, as InvokeAI answers."""
    known = parse_batch_id(batch_id)
    row = await repository.find_batch(db, known) if known else None
    if row is None:
        return Counts(queue_id=QUEUE_ID, batch_id=batch_id)
    counts = await repository.counts(db, batch_id=row.batch_id)
    return Counts(
        queue_id=QUEUE_ID, batch_id=batch_id, origin=row.origin, destination=row.destination,
        total=sum(counts.values()), **counts,
    )  # fmt: skip


async def counts_by_destination(db: ReadSession, destination: str) -> DestinationCounts:
    counts = await repository.counts(db, destination=destination)
    return DestinationCounts(queue_id=QUEUE_ID, destination=destination, total=sum(counts.values()), **counts)
