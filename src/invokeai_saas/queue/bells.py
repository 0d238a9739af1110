"""Which doorbell there is: the settings say."""

from __future__ import annotations

from redis import Redis as SyncRedis
from redis.asyncio import Redis

from invokeai_saas.queue.doorbell import Bell, RedisBell, RedisWorkerBell, WorkerBell, ask_to_cancel
from invokeai_saas.settings import Settings


class Doorbell:
    """What the API does to workers: wakes them, and asks one to stop.

    Parameters:
        bell: wakes them.
        redis: carries requests to stop.
    """

    def __init__(self, bell: Bell, redis: Redis) -> None:
        self.ring = bell.ring
        self.close = bell.close
        self._redis = redis

    async def ask_to_cancel(self, item_id: int) -> None:
        """Tells the worker that runs a job to stop it now; its next heartbeat would tell it anyway."""
        await ask_to_cancel(self._redis, item_id)


def open_doorbell(settings: Settings, redis: Redis) -> Doorbell:
    """The API's side. Raises SetupError where the settings name SQS and its library is not installed."""
    if settings.sqs_queue_urls:
        from invokeai_saas.queue.sqs import SqsBell

        return Doorbell(SqsBell(settings), redis)
    return Doorbell(RedisBell(redis), redis)


def open_worker_bell(settings: Settings, redis: SyncRedis, *, may_send: bool = True) -> WorkerBell:
    """The side of workers and schedulers. Raises SetupError as above.

    Parameters:
        may_send: whether this process's role may send to queues.
    """
    if settings.sqs_queue_urls:
        from invokeai_saas.queue.sqs import SqsWorkerBell

        return SqsWorkerBell(settings, may_send=may_send)
    return RedisWorkerBell(redis)
