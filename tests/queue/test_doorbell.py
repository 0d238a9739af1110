"""What any doorbell has to do, by Redis and by SQS alike; then what only SQS can get wrong."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.errors import Unavailable
from invokeai_saas.queue import sqs
from invokeai_saas.queue.bells import Doorbell, open_doorbell, open_worker_bell
from invokeai_saas.queue.doorbell import Ring, WorkerBell, bell_key, ring_again, rings_of
from invokeai_saas.queue.sqs import SqsWorkerBell
from invokeai_saas.settings import Settings
from tests.apps import RunningApi, running_api
from tests.aws import TIERS, Aws
from tests.graphs import add_model, batch_body, seeds
from tests.servers import TestDatabase
from tests.waiting import eventually
from tests.workers import working

TIER, OTHER = "basic", "dedicated"


@dataclass
class Bells:
    """Both sides of one bell."""

    api: Doorbell
    worker: WorkerBell
    settings: Settings
    sync: SyncRedis

    async def hears(self, tiers: tuple[str, ...] = (TIER,), seconds: float = 1.0) -> bool:
        return await asyncio.to_thread(self.worker.wait, tiers, seconds)

    async def empties(self, rings: int) -> None:
        """Hears as many rings as there are to be, and then no more."""
        for _ in range(rings):
            await eventually(self.hears)
        assert not await self.hears()


@pytest.fixture
def on_sqs(settings: Settings, aws: Aws) -> Settings:
    """The suite's servers, and SQS for a bell. The object store stays the suite's own, which takes these keys."""
    return settings.model_copy(update={"aws_endpoint_url": aws.url, **aws.queues()})


@pytest.fixture(params=["redis", "sqs"])
async def bells(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Bells]:
    if request.param == "sqs":
        settings = request.getfixturevalue("on_sqs")
    redis = Redis.from_url(settings.redis_url.get_secret_value())
    sync = SyncRedis.from_url(settings.redis_url.get_secret_value())
    for tier in TIERS:
        await redis.delete(bell_key(tier))
    api, worker = open_doorbell(settings, redis), open_worker_bell(settings, sync)
    yield Bells(api, worker, settings, sync)
    await api.close()
    worker.close()
    await redis.aclose()
    sync.close()


async def test_nobody_rings_and_the_wait_ends(bells: Bells) -> None:
    began = time.monotonic()
    assert not await bells.hears(seconds=1.0)
    assert time.monotonic() - began >= 0.9


async def test_each_job_wakes_one_worker(bells: Bells) -> None:
    await bells.api.ring(TIER, rings_of(uuid4(), uuid4(), 3))
    await bells.empties(3)


async def test_who_waits_already_is_woken(bells: Bells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs, "_LONGEST_POLL", 20)
    worker = open_worker_bell(bells.settings, bells.sync)

    def wait() -> None:
        while not worker.wait((TIER,), 3600):  # by Redis nothing else ends it; SQS ends a poll by itself
            pass

    waiting = asyncio.create_task(asyncio.to_thread(wait))
    await asyncio.sleep(0.2)
    await bells.api.ring(TIER, rings_of(uuid4(), uuid4(), 1))
    await waiting
    worker.close()


async def test_another_tier_is_not_woken(bells: Bells) -> None:
    await bells.api.ring(OTHER, rings_of(uuid4(), uuid4(), 1))
    assert not await bells.hears()
    assert await bells.hears((OTHER,))


async def test_a_worker_of_two_tiers_hears_both(bells: Bells) -> None:
    await bells.api.ring(TIER, rings_of(uuid4(), uuid4(), 1))
    await bells.api.ring(OTHER, rings_of(uuid4(), uuid4(), 1))
    heard = [await bells.hears((TIER, OTHER)) for _ in range(4)]
    assert heard.count(True) == 2


async def test_the_same_job_rings_again(bells: Bells) -> None:
    """Within the five minutes in which SQS swallows what it takes for the same message."""
    ring = ring_again(uuid4(), 7)
    for _ in range(2):
        await asyncio.to_thread(bells.worker.ring, TIER, ring)
    await bells.empties(2)


async def test_a_ring_that_waits_is_seen_and_one_that_was_heard_is_not(bells: Bells) -> None:
    assert not await asyncio.to_thread(bells.worker.has_rung, TIER)
    await asyncio.to_thread(bells.worker.ring, TIER, Ring("scheduler", TIER))
    assert await asyncio.to_thread(bells.worker.has_rung, TIER)
    assert await bells.hears()
    assert not await asyncio.to_thread(bells.worker.has_rung, TIER)


async def test_many_rings_at_once_are_all_heard(bells: Bells) -> None:
    await asyncio.gather(*(bells.api.ring(TIER, rings_of(uuid4(), uuid4(), 2)) for _ in range(20)))
    await bells.empties(40)


async def test_a_bell_that_is_away_says_so_to_who_waits_and_not_to_who_rings(
    bells: Bells, settings: Settings
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    gone = bells.settings.model_copy(
        update={
            "aws_endpoint_url": nowhere,
            "sqs_queue_urls": {tier: f"{nowhere}/1/{tier}.fifo" for tier in bells.settings.sqs_queue_urls},
        }
    )
    redis = Redis(port=free_port())
    sync = SyncRedis(port=free_port())
    api, worker = open_doorbell(gone, redis), open_worker_bell(gone, sync)
    with pytest.raises((RedisError, Unavailable)):
        await asyncio.to_thread(worker.wait, (TIER,), 1.0)
    await api.ring(TIER, rings_of(uuid4(), uuid4(), 1))
    if bells.settings.sqs_queue_urls:  # by Redis a worker has to be told that it is away
        await asyncio.to_thread(worker.ring, TIER, ring_again(uuid4(), 1))
    await api.close()
    worker.close()
    await redis.aclose()
    sync.close()


# SQS alone


async def test_a_claim_takes_its_ring_off_the_queue(on_sqs: Settings) -> None:
    """Machines are added by the queue's depth: it has to be the number of jobs that wait."""
    worker = SqsWorkerBell(on_sqs)
    for item in range(3):
        worker.ring(TIER, ring_again(uuid4(), item))
    assert await asyncio.to_thread(worker.wait, (TIER,), 1.0)
    worker.claimed(TIER)  # the job of the ring that was heard
    worker.claimed(TIER)  # the next one, claimed without waiting
    worker.close()
    again = SqsWorkerBell(on_sqs)
    assert [await asyncio.to_thread(again.wait, (TIER,), 1.0) for _ in range(2)] == [True, False]
    again.close()


async def test_who_rings_many_times_waits_for_a_hung_sqs_once(
    on_sqs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that hands back the jobs of fifty machines has other leases to look after."""
    monkeypatch.setattr(sqs, "_REST", 3600.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        there = f"http://127.0.0.1:{silent.getsockname()[1]}"
        urls = {tier: f"{there}/1/{tier}.fifo" for tier in on_sqs.sqs_queue_urls}
        scheduler = SqsWorkerBell(
            on_sqs.model_copy(update={"aws_endpoint_url": there, "sqs_queue_urls": urls})
        )
        for item in range(20):  # three seconds each, if each were waited for
            await asyncio.to_thread(scheduler.ring, TIER, ring_again(uuid4(), item))
        scheduler.close()
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


async def test_a_workers_role_sends_nothing(on_sqs: Settings) -> None:
    worker = SqsWorkerBell(on_sqs, may_send=False)
    await asyncio.to_thread(worker.ring, TIER, ring_again(uuid4(), 1))
    assert not await asyncio.to_thread(worker.wait, (TIER,), 1.0)
    worker.close()


def test_lanes_of_one_person_are_groups_of_their_own() -> None:
    rings = rings_of(uuid4(), uuid4(), 3)
    assert len({ring.group for ring in rings}) == 3
    assert all(len(ring.group) <= 128 and len(f"{ring.job}:{uuid4().hex}") <= 128 for ring in rings)
    assert len(f"{uuid4()}:{10**6}:1:{uuid4().hex}") <= 128


async def test_jobs_run_with_sqs_for_a_bell(on_sqs: Settings, database: TestDatabase, aws: Aws) -> None:
    add_model(database)
    client, name = aws.client("sqs"), "ApproximateNumberOfMessages"

    def depth() -> str:
        asked = client.get_queue_attributes(QueueUrl=on_sqs.sqs_queue_urls["basic"], AttributeNames=[name])
        return str(asked["Attributes"][name])

    async with running_api(on_sqs) as api, working(on_sqs):
        await _runs(api)
        await eventually(lambda: depth() == "0")  # a ring that came after its claim is heard by who is idle


async def test_jobs_run_while_sqs_is_away(on_sqs: Settings, database: TestDatabase) -> None:
    add_model(database)
    nowhere = f"http://127.0.0.1:{free_port()}"
    gone = on_sqs.model_copy(
        update={"aws_endpoint_url": nowhere, "sqs_queue_urls": {TIER: f"{nowhere}/123456789012/basic.fifo"}}
    )
    async with running_api(gone) as api, working(gone):
        await _runs(api)


async def _runs(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    answer = await ada.post("/api/v1/queue/default/enqueue_batch", json=batch_body(data=seeds(1, 2)))
    assert answer.status_code == 200, answer.text

    async def done() -> bool:
        items = [
            (await ada.get(f"/api/v1/queue/default/i/{item}")).json() for item in answer.json()["item_ids"]
        ]
        return all(item["status"] == "completed" for item in items)

    await eventually(done)
