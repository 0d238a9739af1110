"""The doorbell on AWS: a FIFO queue per tier, one small message a job.

A message says "look" and nothing else: what is claimed, and in which order, PostgreSQL decides. So a message is deleted
as it is received, its order does not matter, and one that is lost, doubled or late costs a look at the database.
FIFO asks for two names. The group is person and lane, because messages of one group are given out one at a time: one
group a person would wake one of their lanes only. The deduplication id is job, attempt and ring: within five minutes
SQS swallows a second message with the same one, and a job that was handed back has to ring again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from itertools import islice
from typing import Any
from uuid import uuid4

import structlog

from invokeai_saas.aws import aws_client, aws_errors
from invokeai_saas.errors import Unavailable
from invokeai_saas.queue.doorbell import Ring
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)

_AT_ONCE = 10  # messages, the most that one call takes
# Rings of one tier that wait to be sent. More jobs than this at once are found by workers as they go on claiming.
_MOST_RINGS = 500
_SECONDS = 3.0
_LONGEST_POLL = 3  # seconds: who waits looks at the database between two polls, also while SQS hangs
_CLOSING_SECONDS = 2.0
# Seconds without a try after one that failed: who hands back fifty jobs must not wait for each ring's time to be over.
_REST = 10.0


def _entries(rings: Sequence[Ring]) -> list[dict[str, str]]:
    return [
        {
            "Id": str(n),
            "MessageBody": ring.job,
            "MessageGroupId": ring.group,
            "MessageDeduplicationId": f"{ring.job}:{uuid4().hex}",
        }
        for n, ring in enumerate(rings)
    ]


def _send(client: Any, url: str, rings: Sequence[Ring]) -> None:
    answer = client.send_message_batch(QueueUrl=url, Entries=_entries(rings))
    for failed in answer.get("Failed", ()):
        log.warning("ring_refused", code=failed.get("Code"), message=failed.get("Message"))


class SqsBell:
    """The API's side. A ring takes some ten milliseconds to send: nobody's answer waits for that.

    Rings of a tier are sent one call after the other, in a thread, ten at a time; those that come meanwhile go with the
    next call.

    Raises:
        SetupError: the library is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        self._urls = settings.sqs_queue_urls
        self._client = aws_client("sqs", settings, seconds=_SECONDS)
        self._threads = ThreadPoolExecutor(len(self._urls), thread_name_prefix="sqs")
        self._due: dict[str, list[Ring]] = {tier: [] for tier in self._urls}
        self._sending: dict[str, asyncio.Task[None]] = {}

    async def ring(self, tier: str, rings: Sequence[Ring]) -> None:
        """Returns at once. A tier without a queue has nobody to wake: its workers look by themselves."""
        due = self._due.get(tier)
        if due is None:
            return
        due.extend(islice(rings, max(0, _MOST_RINGS - len(due))))
        if due and tier not in self._sending:
            # A context of its own: rings of many requests go together.
            sending = asyncio.get_running_loop().create_task(self._send_all(tier), context=Context())
            self._sending[tier] = sending

    async def _send_all(self, tier: str) -> None:
        due, loop = self._due[tier], asyncio.get_running_loop()
        try:
            while due:
                rings, due[:] = due[:_AT_ONCE], due[_AT_ONCE:]
                await loop.run_in_executor(self._threads, _send, self._client, self._urls[tier], rings)
        except Exception as error:  # nobody waits for this task, so nobody else would say it
            log.warning("ring_lost", tier=tier, rings=len(rings) + len(due), error=repr(error))
            due.clear()
        finally:
            del self._sending[tier]

    async def close(self) -> None:
        """Sends what is due, within seconds."""
        if self._sending:
            await asyncio.wait(self._sending.values(), timeout=_CLOSING_SECONDS)
        for task in list(self._sending.values()):
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()


class SqsWorkerBell:
    """The worker's and the scheduler's side.

    Parameters:
        may_send: not so for workers, whose machines run graphs of strangers: for what they hand back the scheduler
            rings, within seconds.
    """

    def __init__(self, settings: Settings, *, may_send: bool = True) -> None:
        self._urls = settings.sqs_queue_urls
        self._may_send = may_send
        # An answer to a long poll comes when its time is over.
        self._client = aws_client("sqs", settings, seconds=_LONGEST_POLL + _SECONDS, tries=1)
        self._sender = aws_client("sqs", settings, seconds=_SECONDS, tries=1)
        self._away = aws_errors()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqs")
        self._rest_until = float("-inf")  # nothing is sent before, by `time.monotonic`
        self._heard: str | None = None  # the tier of a ring that no claim has answered yet
        self._turn = 0

    def wait(self, tiers: Sequence[str], seconds: float) -> bool:
        """Polls one tier's queue, another one each time. Raises Unavailable at once when SQS is away."""
        queues = [tier for tier in tiers if tier in self._urls]
        if not queues:
            raise Unavailable("There is no queue for these tiers.")
        self._turn += 1
        tier = queues[self._turn % len(queues)]
        try:
            heard = self._take(tier, min(_LONGEST_POLL, max(1, math.ceil(seconds))))
        except self._away as error:
            raise Unavailable(f"SQS cannot be reached: {error!r}") from error
        if heard:
            self._heard = tier
        return heard

    def _take(self, tier: str, seconds: int) -> bool:
        """Receives one message and deletes it. One: the others are for other idle workers."""
        url = self._urls[tier]
        answer = self._client.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=seconds)
        messages = answer.get("Messages", [])
        for message in messages:
            self._client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bool(messages)

    def claimed(self, tier: str) -> None:
        """Takes the job's ring off the queue where the claim answered none: its depth is what machines are added by."""
        if self._heard == tier:
            self._heard = None
        elif tier in self._urls:
            self._thread.submit(self._take_quietly, tier)

    def _take_quietly(self, tier: str) -> None:
        if time.monotonic() < self._rest_until:
            log.warning("ring_left", tier=tier, error="SQS was away a moment ago")
            return
        try:
            self._take(tier, 0)
        except self._away as error:
            self._rest_until = time.monotonic() + _REST
            log.warning("ring_left", tier=tier, error=repr(error))

    def ring(self, tier: str, ring: Ring) -> None:
        """A ring that cannot be sent is lost, and the log says so: who rings has better things to do than wait."""
        if tier not in self._urls or not self._may_send:
            return
        if time.monotonic() < self._rest_until:
            log.warning("ring_lost", tier=tier, rings=1, error="SQS was away a moment ago")
            return
        try:
            _send(self._sender, self._urls[tier], [ring])
        except self._away as error:
            self._rest_until = time.monotonic() + _REST
            log.warning("ring_lost", tier=tier, rings=1, error=repr(error))

    def has_rung(self, tier: str) -> bool:
        if tier not in self._urls:
            return False
        name = "ApproximateNumberOfMessages"
        try:
            answer = self._sender.get_queue_attributes(QueueUrl=self._urls[tier], AttributeNames=[name])
        except self._away as error:
            raise Unavailable(f"SQS cannot be reached: {error!r}") from error
        return int(answer["Attributes"][name]) > 0

    def close(self) -> None:
        self._thread.shutdown(wait=True)  # a ring that is left counts as a job that waits
        self._client.close()
        self._sender.close()
