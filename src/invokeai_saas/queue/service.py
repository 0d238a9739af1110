"""The queue for a person: what may be queued, and what becomes of it. Who runs next is decided at the claim."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.exc import DBAPIError

from invokeai_saas.billing import service as billing
from invokeai_saas.catalog import service as catalog
from invokeai_saas.credits.estimate import Work, estimate_credits
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import Conflict, InsufficientCredits, InvalidInput, NotFound, NotInPlan
from invokeai_saas.gallery import quota
from invokeai_saas.queue import repository
from invokeai_saas.queue.batches import (
    Batch,
    EnqueueRequest,
    EnqueueResult,
    FieldValue,
    apply_values,
    check_data,
    count_jobs,
    expand,
    parse_batch_id,
)
from invokeai_saas.queue.graphs import CheckedGraph, GraphCheck, plain
from invokeai_saas.queue.items import QUEUE_ID, item, summary
from invokeai_saas.queue.jsonwalk import json_problem
from invokeai_saas.queue.schemas import Counts, Item, ItemSummary, QueueAndProcessorStatus, QueueStatus
from invokeai_saas.queue.tables import Batch as BatchRow
from invokeai_saas.queue.work import describe, model_keys
from invokeai_saas.services import Services

_ITEM = "This queue item"


async def enqueue(shared: Services, db: WriteSession, request: EnqueueRequest) -> EnqueueResult:
    """Checks a batch, reserves its credits and queues its jobs: all of it or nothing.

    Raises:
        InvalidInput: the graph or the values do not hold together, or a model is unknown.
        InsufficientCredits: the jobs need more than is available.
        NotInPlan: a node may not run here, or there is no live plan.
        Conflict: too many jobs are waiting (code `queue_full`).
        StorageQuotaExceeded: there is no room for pictures.
    """
    batch, settings = request.batch, shared.settings
    checker = GraphCheck(shared.node_types, settings.max_prompt_chars)
    graph = checker.check(batch.graph)
    wrong_text = json_problem([batch.workflow, batch.origin, batch.destination], settings.max_body_bytes)
    if wrong_text:
        raise InvalidInput(("batch", "workflow"), wrong_text)
    check_data(batch)
    requested = count_jobs(batch)
    if requested > settings.max_batch_jobs:
        raise InvalidInput(
            ("batch", "data"),
            f"This would make {requested} jobs; {settings.max_batch_jobs} can be queued at once.",
            code="too_many_items",
        )
    checker.check_values(graph, batch)
    _check_size(batch, requested, settings.max_batch_bytes)
    keys = await _require_models(db, graph)
    batch_id = parse_batch_id(batch.batch_id) or uuid4()
    if await repository.find_batch(db, batch_id):
        raise InvalidInput(
            ("batch", "batch_id"), "You have a batch with this id already.", code="batch_exists"
        )
    jobs = _jobs(graph, batch, keys)
    priority = 0
    if jobs:
        priority = await _place(shared, db, batch_id, graph.json, batch, request.prepend, jobs)
        _announce_batch(shared, db, batch_id, batch.origin, len(jobs), requested, priority)
    return EnqueueResult(
        queue_id=QUEUE_ID,
        enqueued=len(jobs),
        requested=requested,
        batch={**batch.model_dump(mode="json"), "batch_id": str(batch_id), "graph": graph.json},
        priority=priority,
        item_ids=[job["item_id"] for job in reversed(jobs)],
    )


def _check_size(batch: Batch, requested: int, limit: int) -> None:
    """Refuses a batch whose jobs' values, written out, would take more than `limit` bytes in all."""
    written = 0
    for datum in (datum for group in batch.data or [] for datum in group):
        if datum.items:
            size = len(json.dumps([plain(item) for item in datum.items])) + len(datum.node_path)
            written += size * requested // len(datum.items)
    if written > limit:
        raise InvalidInput(
            ("batch", "data"),
            f"The values of these {requested} jobs come to more than {limit // 2**20} MiB.",
            code="too_many_items",
        )


async def _require_models(db: WriteSession, graph: CheckedGraph) -> list[str]:
    named = model_keys(graph)
    visible = await catalog.visible_models(db, list(named))
    for key, (node_id, field) in named.items():
        if key not in visible:
            raise InvalidInput(
                ("batch", "graph", "nodes", node_id, field),
                "This model does not exist. Choose another one.",
                code="model_not_found",
            )
    await billing.require_model_access(db, {catalog.family(model) for model in visible.values()})
    return sorted(named)


def _new_job(
    work: Work, keys: list[str], values: list[dict[str, Any]], retried: int | None
) -> dict[str, Any]:
    return {
        "item_id": secrets.randbelow(2**53 - 1) + 1,
        "session_id": str(uuid4()),
        "estimate": estimate_credits(work),
        "model_keys": keys,
        "model_name": work.model_name,
        "steps": work.steps,
        "width": work.width,
        "height": work.height,
        "field_values": values,
        "retried_from": retried,
    }


def _jobs(graph: CheckedGraph, batch: Batch, keys: list[str]) -> list[dict[str, Any]]:
    def described(values: list[FieldValue]) -> dict[str, Any]:
        plain = [value.model_dump(mode="json") for value in values]
        return _new_job(describe(apply_values(graph.json, plain)["nodes"].values()), keys, plain, None)

    return [described(values) for values in expand(batch)]


async def _place(
    shared: Services,
    db: WriteSession,
    batch_id: UUID,
    graph: dict[str, Any],
    batch: Batch | BatchRow,
    prepend: bool,
    jobs: Sequence[dict[str, Any]],
) -> int:
    """Reserves and inserts; answers the priority. The doorbell rings after the commit."""
    # A settlement keeps what its job has made, however much: so a job begins only where there is room.
    await quota.require_room(db)
    try:
        placed = await repository.enqueue(
            db, batch_id, graph, batch.workflow, batch.origin, batch.destination, prepend, jobs,
            shared.settings.max_pending_jobs,
        )  # fmt: skip
    except DBAPIError as error:
        raise _refusal(error) from error
    db.after_commit(lambda: shared.doorbell.ring(placed.tier, len(jobs)))
    return placed.priority


def _refusal(error: DBAPIError) -> Exception:
    """Our own SQLSTATEs as our own errors; any other error as it is."""
    cause = getattr(error.orig, "__cause__", None) or error.orig
    code = str(getattr(cause, "sqlstate", ""))
    detail: dict[str, int] = (
        json.loads(getattr(cause, "detail", None) or "{}") if code.startswith("SC") else {}
    )
    if code == "SC402":
        return InsufficientCredits(detail.get("needed", 0), detail.get("available", 0))
    if code in ("SC403", "SC404"):
        return NotInPlan("generation", [], billing.PLAN_ENDED)
    if code == "SC429":
        return Conflict(
            f"{detail['pending']} jobs are waiting and {detail['limit']} may. Let some finish first.",
            code="queue_full",
            data=dict(detail),
        )
    return error


def _announce_batch(
    shared: Services,
    db: WriteSession,
    batch_id: UUID,
    origin: str | None,
    enqueued: int,
    requested: int,
    priority: int,
) -> None:
    payload = {
        "queue_id": QUEUE_ID,
        "batch_id": str(batch_id),
        "enqueued": enqueued,
        "requested": requested,
        "priority": priority,
        "origin": origin,
        "user_id": str(db.user_id),
    }
    db.after_commit(lambda: shared.publisher.publish(db.user_id, "batch_enqueued", payload))


async def cancel(shared: Services, db: WriteSession, item_ids: Sequence[int]) -> int:
    """Cancels the person's waiting jobs at once and their running ones at the next step; answers how many."""
    cancelled = await repository.cancel(db, item_ids)
    gone = [job.item_id for job in cancelled if job.status == "canceled"]
    for job in cancelled:
        if job.status == "in_progress":
            db.after_commit(lambda item_id=job.item_id: shared.doorbell.ask_to_cancel(item_id))  # type: ignore[misc]
    if len(gone) == 1:
        event = await repository.status_event(db, gone[0])
        if event is not None:
            db.after_commit(lambda: shared.publisher.publish(db.user_id, "queue_item_status_changed", event))
    elif gone:
        person = str(db.user_id)
        payload = {
            "queue_id": QUEUE_ID,
            "canceled_item_ids": gone,
            "user_ids": [person],
            "canceled_item_ids_by_user": {person: gone},
        }
        db.after_commit(lambda: shared.publisher.publish(db.user_id, "queue_items_canceled", payload))
    if gone:
        db.after_commit(lambda: shared.publisher.publish(db.user_id, "credits_changed", {}))
    return len(cancelled)


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
    """Cancels and removes jobs from the list; running ones leave it when they have stopped and are pruned."""
    live = repository.LIVE if running else ("pending",)
    await cancel(shared, db, await repository.item_ids(db, statuses=live, destination=destination))
    return await repository.delete(db, await repository.item_ids(db, destination=destination))


async def clear(shared: Services, db: WriteSession) -> int:
    """Empties the person's queue."""
    deleted = await delete_matching(shared, db)
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


async def retry(shared: Services, db: WriteSession, item_ids: Sequence[int]) -> list[int]:
    """Queues failed and cancelled jobs anew, as new jobs with reservations of their own."""
    rows = [r for r in await repository.items(db, ids=item_ids) if r.job.status in ("failed", "canceled")]
    batches = await repository.batches(db, [row.job.batch_id for row in rows])
    await _still_there(db, {key for row in rows for key in row.job.model_keys})
    for row in rows:
        batch = batches[row.job.batch_id]
        nodes = apply_values(batch.graph, row.job.field_values)["nodes"].values()
        job = _new_job(describe(nodes), row.job.model_keys, row.job.field_values or [], row.job.item_id)
        await _place(shared, db, uuid4(), batch.graph, batch, False, [job])
    retried = [row.job.item_id for row in rows]
    person = str(db.user_id)
    payload = {
        "queue_id": QUEUE_ID,
        "retried_item_ids": retried,
        "user_ids": [person],
        "retried_item_ids_by_user": {person: retried},
    }
    if retried:
        db.after_commit(lambda: shared.publisher.publish(db.user_id, "queue_items_retried", payload))
    return retried


async def _still_there(db: WriteSession, keys: set[str]) -> None:
    """Raises InvalidInput when a model that jobs name has gone since."""
    visible = await catalog.visible_models(db, sorted(keys))
    if keys - visible.keys():
        raise InvalidInput((), "A model of these jobs is not offered any more.", code="model_not_found")
    await billing.require_model_access(db, {catalog.family(model) for model in visible.values()})


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


async def counts_by_destination(db: ReadSession, destination: str) -> Counts:
    counts = await repository.counts(db, destination=destination)
    return Counts(queue_id=QUEUE_ID, destination=destination, total=sum(counts.values()), **counts)
