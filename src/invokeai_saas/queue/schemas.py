"""InvokeAI's queue on the wire. Moments are UTC without a zone, as InvokeAI writes them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

ItemId = Annotated[int, Field(ge=0, lt=2**53)]


class ProcessorStatus(BaseModel):
    """There is always a processor: ours is a fleet. `is_started` false would make the page try to start it."""

    is_started: bool = True
    is_processing: bool = False


class QueueStatus(BaseModel):
    queue_id: str
    item_id: int | None
    batch_id: str | None
    session_id: str | None
    pending: int
    in_progress: int
    waiting: int = 0
    completed: int
    failed: int
    canceled: int
    total: int
    user_pending: int
    user_in_progress: int


class QueueAndProcessorStatus(BaseModel):
    queue: QueueStatus
    processor: ProcessorStatus


class _Counted(BaseModel):
    """How many jobs are where."""

    queue_id: str
    pending: int = 0
    in_progress: int = 0
    waiting: int = 0
    completed: int = 0
    failed: int = 0
    canceled: int = 0
    total: int = 0


class Counts(_Counted):
    """Of a batch: InvokeAI's BatchStatus."""

    batch_id: str
    origin: str | None = None
    destination: str | None = None


class DestinationCounts(_Counted):
    destination: str


class ItemSummary(BaseModel):
    """A job in a list: InvokeAI's SessionQueueItemSummary."""

    item_id: int
    status: str
    batch_id: str
    origin: str | None = None
    destination: str | None = None
    created_at: str
    started_at: str | None = None
    completed_at: str | None = None
    user_id: str
    user_display_name: str | None = None
    user_email: str | None = None
    field_values: list[dict[str, Any]]
    device: str | None = None
    parent_item_id: int | None = None


class Item(ItemSummary):
    """A job whole: InvokeAI's SessionQueueItem. What is null has a default: one answer leaves nulls out."""

    status_sequence: int
    priority: int
    session_id: str
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None
    updated_at: str
    queue_id: str
    retried_from_item_id: int | None = None
    workflow_call_id: str | None = None
    parent_session_id: str | None = None
    root_item_id: int | None = None
    workflow_call_depth: int | None = None
    session: dict[str, Any]
    workflow: dict[str, Any] | None = None


class ItemIds(BaseModel):
    item_ids: list[int]
    total_count: int


class ItemIdsRequest(BaseModel):
    item_ids: list[ItemId] = Field(max_length=1000)


class BatchIdsRequest(BaseModel):
    batch_ids: list[str] = Field(max_length=1000)


class Canceled(BaseModel):
    canceled: int


class Deleted(BaseModel):
    deleted: int


class Retried(BaseModel):
    queue_id: str
    retried_item_ids: list[int]
