"""InvokeAI's 23 queue operations, each for the caller's own jobs. Any queue id means the caller's own queue."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from invokeai_saas.credits.schemas import Estimate
from invokeai_saas.identity.access import Caller, Reader, Shared, Writer, limit_enqueue, limit_estimate
from invokeai_saas.queue import enqueue, estimating, repository, service
from invokeai_saas.queue.batches import EnqueueRequest, EnqueueResult
from invokeai_saas.queue.events import QUEUE_ID
from invokeai_saas.queue.once import HEADER, REPLAYED, enqueue_once, once
from invokeai_saas.queue.schemas import (
    BatchIdsRequest,
    Canceled,
    Counts,
    Deleted,
    DestinationCounts,
    Item,
    ItemId,
    ItemIds,
    ItemIdsRequest,
    ItemSummary,
    QueueAndProcessorStatus,
    Retried,
)

router = APIRouter(prefix="/api/v1/queue/{queue_id}", tags=["queue"])

# Of credits to whoever asks, but it takes what enqueue_batch takes, and checks it the same way.
estimate_router = APIRouter(prefix="/api/v1/credits", tags=["credits"])

Destination = Annotated[str, Query(max_length=255, pattern=r"^[^\x00]*$")]


@router.post("/enqueue_batch", response_model=EnqueueResult, dependencies=[Depends(limit_enqueue)])
async def enqueue_batch(body: EnqueueRequest, request: Request, shared: Shared, person: Caller) -> Response:
    """Queues a batch. InvokeAI documents 201 and answers 200; so do we.

    With an Idempotency-Key the same request is queued once, and answered alike for a day.
    """
    # Written here: the framework would check a graph of ours against the model once more.
    key = request.headers.get(HEADER)
    if key is None:
        result = await enqueue.enqueue(shared, person.user_id, body)
        return Response(result.model_dump_json(), media_type="application/json")
    answer = await enqueue_once(shared, person.user_id, body, once(key, await request.body()))
    headers = {REPLAYED: "true"} if answer.replayed else None
    return Response(answer.text, media_type="application/json", headers=headers)


@estimate_router.post("/estimate", dependencies=[Depends(limit_estimate)])
async def estimate_batch(body: EnqueueRequest, shared: Shared, person: Caller) -> Estimate:
    """What a body of enqueue_batch would need, as data: credits that are missing are no error."""
    return await estimating.estimate(shared, person.user_id, body)


@router.get("/status")
async def get_queue_status(db: Reader) -> QueueAndProcessorStatus:
    return await service.status(db)


@router.get("/current")
async def get_current_queue_item(db: Reader) -> Item | None:
    return await service.live_item(db, running=True)


@router.get("/next")
async def get_next_queue_item(db: Reader) -> Item | None:
    return await service.live_item(db, running=False)


@router.get("/list_all")
async def list_all_queue_items(db: Reader, destination: Destination | None = None) -> list[Item]:
    return await service.list_items(db, destination)


@router.get("/item_ids")
async def get_queue_item_ids(db: Reader, order_dir: Literal["ASC", "DESC"] = "DESC") -> ItemIds:
    ids = await repository.item_ids(db, ascending=order_dir == "ASC")
    return ItemIds(item_ids=ids, total_count=len(ids))


@router.post("/items_by_ids")
async def get_queue_items_by_item_ids(body: ItemIdsRequest, db: Reader) -> list[Item]:
    return await service.items_by_ids(db, body.item_ids)


@router.post("/item_summaries_by_ids")
async def get_queue_item_summaries_by_ids(body: ItemIdsRequest, db: Reader) -> list[ItemSummary]:
    return await service.summaries_by_ids(db, body.item_ids)


@router.get("/counts_by_destination")
async def counts_by_destination(db: Reader, destination: Destination) -> DestinationCounts:
    return await service.counts_by_destination(db, destination)


@router.get("/b/{batch_id}/status")
async def get_batch_status(batch_id: str, db: Reader) -> Counts:
    return await service.batch_status(db, batch_id)


@router.get("/i/{item_id}", response_model_exclude_none=True)
async def get_queue_item(item_id: Annotated[ItemId, Path()], db: Reader) -> Item:
    """A job without what is null, in its session too."""
    item = await service.get_item(db, item_id)
    item.session = {name: value for name, value in item.session.items() if value is not None}
    return item


@router.delete("/i/{item_id}")
async def delete_queue_item(item_id: Annotated[ItemId, Path()], shared: Shared, db: Writer) -> None:
    await service.delete_item(shared, db, item_id)


@router.put("/i/{item_id}/cancel")
async def cancel_queue_item(item_id: Annotated[ItemId, Path()], shared: Shared, db: Writer) -> Item:
    return await service.cancel_item(shared, db, item_id)


@router.put("/cancel_all_except_current")
async def cancel_all_except_current(shared: Shared, db: Writer) -> Canceled:
    return Canceled(canceled=await service.cancel_matching(shared, db, running=False))


@router.put("/cancel_by_batch_ids")
async def cancel_by_batch_ids(body: BatchIdsRequest, shared: Shared, db: Writer) -> Canceled:
    return Canceled(canceled=await service.cancel_matching(shared, db, batch_ids=body.batch_ids))


@router.put("/cancel_by_destination")
async def cancel_by_destination(shared: Shared, db: Writer, destination: Destination) -> Canceled:
    return Canceled(canceled=await service.cancel_matching(shared, db, destination=destination))


@router.put("/delete_all_except_current")
async def delete_all_except_current(shared: Shared, db: Writer) -> Deleted:
    return Deleted(deleted=await service.delete_matching(shared, db, running=False))


@router.delete("/d/{destination}")
async def delete_by_destination(
    destination: Annotated[str, Path(pattern=r"^[^\x00]*$")], shared: Shared, db: Writer
) -> Deleted:
    return Deleted(deleted=await service.delete_matching(shared, db, destination=destination))


@router.put("/clear")
async def clear(shared: Shared, db: Writer) -> Deleted:
    return Deleted(deleted=await service.clear(shared, db))


@router.put("/prune")
async def prune(db: Writer) -> Deleted:
    return Deleted(deleted=await service.prune(db))


@router.put("/retry_items_by_id", dependencies=[Depends(limit_enqueue)])
async def retry_items_by_id(
    item_ids: Annotated[list[ItemId], Body(max_length=100)], shared: Shared, db: Writer
) -> Retried:
    return Retried(queue_id=QUEUE_ID, retried_item_ids=await enqueue.retry(shared, db, item_ids))
