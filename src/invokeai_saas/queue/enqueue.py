"""What may be queued: a batch is checked, credits are reserved, jobs wait. Those that ended may be queued anew."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import structlog
from asyncpg import Connection, PostgresError  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError

from invokeai_saas.billing import gates
from invokeai_saas.catalog import service as catalog
from invokeai_saas.credits.estimate import Work
from invokeai_saas.credits.estimates import PersonEstimates
from invokeai_saas.db.session import WriteSession, attempt
from invokeai_saas.errors import (
    Conflict,
    Forbidden,
    InsufficientCredits,
    InvalidInput,
    NotInPlan,
    StorageQuotaExceeded,
)
from invokeai_saas.observability.tracing import traceparent
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
from invokeai_saas.queue.doorbell import rings_of
from invokeai_saas.queue.events import QUEUE_ID
from invokeai_saas.queue.graphs import CheckedGraph, GraphCheck, plain
from invokeai_saas.queue.jsonwalk import json_problem
from invokeai_saas.queue.work import describe, model_keys
from invokeai_saas.services import Services

_DELETING = "Your account is going to be deleted, so nothing new is made. Your account page says how to take that back."
Queue = Callable[[Connection, UUID, repository.NewBatch, int], Awaitable[repository.Placed]]
_LOGGED_JOBS = 20
log = structlog.get_logger(__name__)
# Jobs times values of their graph: each job's work is worked out from all of its values, on the event loop.
MAX_WORK = 5_000_000


@dataclass(frozen=True)
class Prepared:
    """A batch that has passed every check but the plan's, which the queue makes.

    Parameters:
        works: what each job is going to do.
    """

    new: repository.NewBatch
    batch: Batch
    requested: int
    works: Sequence[Work]
    tier: str  # its jobs were estimated for

    def result(self, priority: int) -> EnqueueResult:
        """What is answered once it is queued."""
        batch_id, jobs = self.new.batch_id, self.new.jobs
        return EnqueueResult(
            queue_id=QUEUE_ID,
            enqueued=len(jobs),
            requested=self.requested,
            batch={
                **self.batch.model_dump(mode="json", exclude={"graph"}),
                "batch_id": str(batch_id),
                "graph": self.new.graph,
            },
            priority=priority,
            item_ids=[job["item_id"] for job in reversed(jobs)],
        )


async def enqueue(shared: Services, user_id: UUID, request: EnqueueRequest) -> EnqueueResult:
    """Checks a batch, reserves its credits and queues its jobs: all of it or nothing.

    Raises: as `prepare` and `place` do.
    """
    prepared = await prepare(shared, user_id, request)
    return prepared.result(await place(shared, user_id, prepared) if prepared.new.jobs else 0)


async def prepare(shared: Services, user_id: UUID, request: EnqueueRequest) -> Prepared:
    """Checks a batch and describes its jobs; nothing is reserved or queued.

    Raises:
        InvalidInput: the graph or the values do not hold together, or a model is unknown.
        NotInPlan: a node may not run here, or not under this plan.
    """
    batch, settings = request.batch, shared.settings
    of_nodes = await _require_nodes(shared, user_id, batch.graph)
    checker = GraphCheck(shared.node_types, settings.max_prompt_chars)
    graph = checker.check(batch.graph)
    wrong_text = json_problem([batch.workflow, batch.origin, batch.destination], settings.max_body_bytes)
    if wrong_text:
        raise InvalidInput(("batch", "workflow"), wrong_text)
    check_data(batch)
    requested = count_jobs(batch)
    _check_count(requested, graph.parts, settings.max_batch_jobs)
    checker.check_values(graph, batch)
    _check_size(batch, requested, settings.max_batch_bytes)
    keys, families = await _require_models(shared, user_id, graph)
    batch_id = parse_batch_id(batch.batch_id) or uuid4()
    estimates = await shared.estimates.of(user_id)
    described = [_described(graph, values) for values in expand(batch)]
    jobs = [_new_job(work, estimates, keys, values, None) for work, values in described]
    needs = sorted(of_nodes | gates.of_families(families) | gates.of_workflow(batch.workflow))
    new = repository.NewBatch(
        batch_id, graph.json, batch.workflow, batch.origin, batch.destination, request.prepend, jobs, needs,
        trace=traceparent(),
    )  # fmt: skip
    return Prepared(new, batch, requested, [work for work, _ in described], estimates.tier)


async def _require_nodes(shared: Services, user_id: UUID, graph: dict[str, Any]) -> set[gates.Feature]:
    """What the plan must include for a graph's nodes, of which few need anything.

    Asked here, before a node that is not served yet is refused to everybody: who has not paid for it is told that.

    Raises:
        NotInPlan: the plan has it not.
    """
    needs = gates.of_nodes(graph)
    if needs:
        async with shared.database.read(user_id) as db:
            await gates.require(db, *sorted(needs))
    return needs


def _check_count(requested: int, parts: int, limit: int) -> None:
    """Refuses more jobs than `limit`, and a graph too large for so many."""
    if requested > limit:
        raise InvalidInput(
            ("batch", "data"),
            f"This would make {requested} jobs; {limit} can be queued at once.",
            code="too_many_items",
        )
    if requested * parts > MAX_WORK:
        raise InvalidInput(
            ("batch", "data"),
            f"{requested} jobs of a graph as large as this are too many at once.",
            code="too_many_items",
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


async def _require_models(shared: Services, user_id: UUID, graph: CheckedGraph) -> tuple[list[str], set[str]]:
    """(keys of the models that a graph names, their families). Whether the plan has them is for the queue to say."""
    named = model_keys(graph)
    if not named:
        return [], set()
    async with shared.database.read(user_id) as db:
        visible = await catalog.visible_models(db, list(named))
    for key, (node_id, field) in named.items():
        if key not in visible:
            raise InvalidInput(
                ("batch", "graph", "nodes", node_id, field),
                "This model does not exist. Choose another one.",
                code="model_not_found",
            )
    return sorted(named), {catalog.family(model) for model in visible.values()}


def _new_job(
    work: Work, estimates: PersonEstimates, keys: list[str], values: list[dict[str, Any]], retried: int | None
) -> dict[str, Any]:
    return {
        "item_id": secrets.randbelow(2**53 - 1) + 1,
        "session_id": str(uuid4()),
        "estimate": estimates.needed(work).high,
        "model_keys": keys,
        "model_name": work.model_name,
        "steps": work.steps,
        "width": work.width,
        "height": work.height,
        "field_values": values,
        "retried_from": retried,
    }


def _described(graph: CheckedGraph, values: list[FieldValue]) -> tuple[Work, list[dict[str, Any]]]:
    """What a job with these values is going to do, and the values as they are stored."""
    plain = [value.model_dump(mode="json") for value in values]
    return describe(apply_values(graph.json, plain)["nodes"].values()), plain


async def place(
    shared: Services, user_id: UUID, prepared: Prepared, queue: Queue = repository.enqueue_as
) -> int:
    """Reserves and inserts; answers the priority. Then tells the person's pages and rings for a worker.

    The statement that queues is a transaction by itself: a person's batches wait for each other at their account, and
    should not wait for this process in between.

    Parameters:
        queue: what queues; commits before it returns.

    Raises:
        InsufficientCredits: the jobs need more than is available.
        NotInPlan: there is no live plan, or it has not what the graph needs.
        Conflict: too many jobs are waiting (code `queue_full`).
        StorageQuotaExceeded: there is no room for pictures.
    """
    batch = prepared.new
    try:
        async with shared.enqueues.turn(user_id), shared.writer.connection() as connection:
            placed = await queue(connection, user_id, batch, shared.settings.max_pending_jobs)
    except PostgresError as error:
        raise await _refusal(shared, error) from error
    shared.estimates.runs_in(user_id, placed.tier)
    await shared.database.wrote(user_id)
    # From a request in the logs to its jobs, whose workers' lines have their ids.
    log.info(
        "enqueued", batch=str(batch.batch_id), jobs=[job["item_id"] for job in batch.jobs[:_LOGGED_JOBS]]
    )
    payload = {
        "queue_id": QUEUE_ID,
        "batch_id": str(batch.batch_id),
        "enqueued": len(batch.jobs),
        "requested": prepared.requested,
        "priority": placed.priority,
        "origin": batch.origin,
        "user_id": str(user_id),
    }
    rings = rings_of(user_id, batch.batch_id, len(batch.jobs))
    # In this order, so that a page mostly hears of its batch before a worker tells of its jobs.
    await attempt(lambda: shared.publisher.publish(user_id, "batch_enqueued", payload))
    await attempt(lambda: shared.doorbell.ring(placed.tier, rings))
    return placed.priority


async def _place(shared: Services, db: WriteSession, batch: repository.NewBatch) -> None:
    """Reserves and inserts. The doorbell rings after the commit."""
    try:
        placed = await repository.enqueue(db, batch, shared.settings.max_pending_jobs)
    except DBAPIError as error:
        raise await _refusal(shared, error) from error
    rings = rings_of(db.user_id, batch.batch_id, len(batch.jobs))
    db.after_commit(lambda: shared.doorbell.ring(placed.tier, rings))


async def _refusal(shared: Services, error: DBAPIError | PostgresError) -> Exception:
    """Our own SQLSTATEs as our own errors; any other error as it is."""
    wrapped = error.orig if isinstance(error, DBAPIError) else None
    cause = getattr(wrapped, "__cause__", None) or wrapped or error
    code = str(getattr(cause, "sqlstate", ""))
    if getattr(cause, "constraint_name", None) == "pk_job_batches":
        return InvalidInput(
            ("batch", "batch_id"), "You have a batch with this id already.", code="batch_exists"
        )
    detail: dict[str, Any] = (
        json.loads(getattr(cause, "detail", None) or "{}") if code.startswith("SC") else {}
    )
    if code == "SC402":
        return InsufficientCredits(detail.get("needed", 0), detail.get("available", 0))
    if code == "SC507":
        return StorageQuotaExceeded(detail["used"], detail["limit"])
    if detail.get("families"):
        lacking = detail["families"][0]
        # Not only people's own: families of models that no other plan names are among them.
        named = "custom models" if lacking == "custom_models" else None
        return await gates.refusal_now(shared.database, lacking, named)
    if detail.get("deleting"):
        return Forbidden(_DELETING, code="account_deleting")
    if code in ("SC403", "SC404"):
        return NotInPlan("generation", [], gates.PLAN_ENDED)
    if code == "SC429":
        return Conflict(
            f"{detail['pending']} jobs are waiting and {detail['limit']} may. Let some finish first.",
            code="queue_full",
            data=dict(detail),
        )
    return error


async def retry(shared: Services, db: WriteSession, item_ids: Sequence[int]) -> list[int]:
    """Queues failed and cancelled jobs anew, as new jobs with reservations of their own."""
    rows = [r for r in await repository.items(db, ids=item_ids) if r.job.status in ("failed", "canceled")]
    batches = await repository.batches(db, [row.job.batch_id for row in rows])
    families = await _still_there(db, {key for row in rows for key in row.job.model_keys})
    estimates = await shared.estimates.of(db.user_id)
    for row in rows:
        batch = batches[row.job.batch_id]
        nodes = apply_values(batch.graph, row.job.field_values)["nodes"].values()
        needs = gates.of_families(families) | gates.of_nodes(batch.graph) | gates.of_workflow(batch.workflow)
        job = _new_job(
            describe(nodes), estimates, row.job.model_keys, row.job.field_values or [], row.job.item_id
        )
        again = repository.NewBatch(
            uuid4(),
            batch.graph,
            batch.workflow,
            batch.origin,
            batch.destination,
            False,
            [job],
            sorted(needs),
            trace=traceparent(),
        )
        await _place(shared, db, again)
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


async def _still_there(db: WriteSession, keys: set[str]) -> set[str]:
    """Families of the models that jobs name. Raises InvalidInput when one has gone since."""
    if not keys:
        return set()
    visible = await catalog.visible_models(db, sorted(keys))
    if keys - visible.keys():
        raise InvalidInput((), "A model of these jobs is not offered any more.", code="model_not_found")
    return {catalog.family(model) for model in visible.values()}
