"""What a batch would need, before it is queued."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from invokeai_saas.credits import service as credits
from invokeai_saas.credits.schemas import CreditRange, Estimate, JobsEstimate
from invokeai_saas.queue.batches import EnqueueRequest
from invokeai_saas.queue.enqueue import prepare
from invokeai_saas.services import Services


async def estimate(shared: Services, user_id: UUID, request: EnqueueRequest) -> Estimate:
    """Credits for each job and for all of them, beside what is available.

    Too few credits are no error here. The plan decides whether the batch may be queued at all when it is.

    Raises: as `prepare` does.
    """
    estimates = await shared.estimates.of(user_id, fresh=True)
    prepared = await prepare(shared, user_id, request)
    async with shared.database.read(user_id) as db:
        available = (await credits.balance(db)).available
    per_job = [
        JobsEstimate(jobs=jobs, learnt_from=estimates.samples(work), **estimates.needed(work)._asdict())
        for work, jobs in Counter(prepared.works).items()
    ]
    total = CreditRange(
        low=sum(each.jobs * each.low for each in per_job),
        likely=sum(each.jobs * each.likely for each in per_job),
        high=sum(each.jobs * each.high for each in per_job),
    )
    return Estimate(
        tier=estimates.tier or None,
        jobs=len(prepared.works),
        per_job=per_job,
        total=total,
        needed=total.high,
        available=available,
        missing=max(0, total.high - available),
    )
