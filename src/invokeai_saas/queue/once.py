"""An enqueue that happens once, however often its client says it: by the key that the client gives it.

The key is taken in the transaction that queues, and the answer kept beside it for a day. Only requests with a key pay
for that. What was refused is not kept: the same request may succeed later.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from asyncpg import Connection  # type: ignore[import-untyped]

from invokeai_saas.errors import Conflict, InvalidInput
from invokeai_saas.queue import repository
from invokeai_saas.queue.batches import EnqueueRequest
from invokeai_saas.queue.enqueue import Prepared, place, prepare
from invokeai_saas.services import Services

HEADER = "idempotency-key"
REPLAYED = "Idempotency-Replayed"
_LONGEST = 255


class Once(NamedTuple):
    """A client's key and what it belongs to."""

    key: str
    body_hash: bytes


class Answer(NamedTuple):
    """JSON of an EnqueueResult. Parameters: replayed: it is the first one's."""

    text: str
    replayed: bool


class _Taken(Exception):
    """Somebody with the same key was first."""


def once(key: str, body: bytes) -> Once:
    """Raises InvalidInput when the key is none.

    Parameters:
        key: the header's value.
        body: the request's, byte by byte.
    """
    if not 1 <= len(key) <= _LONGEST or not (key.isascii() and key.isprintable()):
        raise InvalidInput(
            (HEADER,), f"A key has 1 to {_LONGEST} printable ASCII characters; a random UUID is a good one."
        )
    return Once(key, sha256(body).digest())


async def enqueue_once(shared: Services, user_id: UUID, request: EnqueueRequest, wanted: Once) -> Answer:
    """Queues a batch unless this key has queued it, and answers what was answered first.

    Raises:
        Conflict: the key belongs to another body (code `idempotency_key_reused`).
        ServiceError: as `enqueue` does.
    """
    known = await _known(shared, user_id, wanted)
    if known is not None:
        return known
    prepared = await prepare(shared, user_id, request)
    if not prepared.new.jobs:
        return Answer(prepared.result(0).model_dump_json(), False)
    try:
        priority = await _place(shared, user_id, prepared, wanted)
    except _Taken:
        known = await _known(shared, user_id, wanted)
        if known is None:  # a day went by at this very moment
            raise Conflict("This key has just expired. Please send the request again.") from None
        return known
    return Answer(prepared.result(priority).model_dump_json(), False)


async def _place(shared: Services, user_id: UUID, prepared: Prepared, wanted: Once) -> int:
    async def queue(
        connection: Connection, user_id: UUID, batch: repository.NewBatch, max_pending: int
    ) -> repository.Placed:
        async with connection.transaction():
            if not await repository.take_key(connection, user_id, wanted.key, wanted.body_hash):
                raise _Taken
            placed = await repository.enqueue_as(connection, user_id, batch, max_pending)
            answer = prepared.result(placed.priority).model_dump_json()
            await repository.keep_answer(connection, user_id, wanted.key, answer)
        return placed

    return await place(shared, user_id, prepared, queue)


async def _known(shared: Services, user_id: UUID, wanted: Once) -> Answer | None:
    async with shared.writer.connection() as connection:
        kept = await repository.kept_answer(connection, user_id, wanted.key)
    if kept is None:
        return None
    if kept[0] != wanted.body_hash:
        raise Conflict(
            "This Idempotency-Key belongs to another request of yours. Give each request a key of its own.",
            code="idempotency_key_reused",
        )
    return Answer(kept[1], True)
