"""Jobs as InvokeAI's session queue items."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from invokeai_saas.queue.batches import apply_values
from invokeai_saas.queue.events import QUEUE_ID
from invokeai_saas.queue.repository import ItemRow
from invokeai_saas.queue.schemas import Item, ItemSummary
from invokeai_saas.queue.tables import Batch, Job


def wire_time(moment: datetime | None) -> str | None:
    """UTC without a zone, to the millisecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] if moment else None


def _fields(row: ItemRow) -> dict[str, Any]:
    job = row.job
    return {
        "item_id": job.item_id,
        "status": job.status,
        "status_sequence": job.status_sequence,
        "priority": job.priority,
        "batch_id": str(job.batch_id),
        "origin": row.origin,
        "destination": row.destination,
        "session_id": str(job.session_id),
        "error_type": job.error_type,
        "error_message": job.error_message,
        "error_traceback": None,
        "created_at": wire_time(job.created_at),
        "updated_at": wire_time(job.updated_at),
        "started_at": wire_time(job.started_at),
        "completed_at": wire_time(job.completed_at),
        "queue_id": QUEUE_ID,
        "user_id": str(job.user_id),
        "user_display_name": row.name,
        "user_email": row.email,
        "field_values": job.field_values or [],
        "retried_from_item_id": job.retried_from_item_id,
    }


def summary(row: ItemRow) -> ItemSummary:
    """A job without its graph."""
    return ItemSummary.model_validate(_fields(row))


def item(row: ItemRow, batch: Batch) -> Item:
    """A job with its graph, and with its results once it has ended."""
    # What an engine leaves out of a session is as it was when the session was fresh.
    session = _fresh_session(row.job, batch.graph) | (row.job.session or {})
    return Item.model_validate({**_fields(row), "session": session, "workflow": batch.workflow})


def _fresh_session(job: Job, graph: dict[str, Any]) -> dict[str, Any]:
    """InvokeAI's GraphExecutionState of a graph of which nothing has run."""
    nothing: list[Any] = []
    return {
        "id": str(job.session_id),
        "graph": apply_values(graph, job.field_values),
        "execution_graph": {"id": str(job.session_id), "nodes": {}, "edges": nothing},
        "executed": nothing,
        "executed_history": nothing,
        "results": {},
        "errors": {},
        "workflow_call_stack": nothing,
        "workflow_call_history": nothing,
        "workflow_call_parent": None,
        "waiting_workflow_call": None,
        "waiting_workflow_call_execution": None,
        "waiting_workflow_call_child_session": None,
        "max_workflow_call_depth": 4,
        "prepared_source_mapping": {},
        "source_prepared_mapping": {},
        "prepared_iteration_paths": {},
        "ready_order": nothing,
        "indegree": {},
    }
