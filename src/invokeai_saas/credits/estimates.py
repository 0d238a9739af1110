"""The estimates of one process: read once a minute, so that an enqueue asks the database nothing for them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from uuid import UUID

import structlog

from invokeai_saas.billing import service as billing
from invokeai_saas.credits import repository
from invokeai_saas.credits.estimate import Estimates, Needed, Work
from invokeai_saas.db.session import Database
from invokeai_saas.errors import ServiceError

REFRESH_SECONDS = 60.0
_PEOPLE = 10_000  # whose tiers are remembered
log = structlog.get_logger(__name__)


class PersonEstimates:
    """Estimates for the tier of one person's plan."""

    def __init__(self, estimates: Estimates, tier: str) -> None:
        self._estimates = estimates
        self.tier = tier

    def needed(self, work: Work) -> Needed:
        """Credits for a job."""
        return self._estimates.needed(work, self.tier)

    def samples(self, work: Work) -> int:
        """How many jobs like it were looked at."""
        return self._estimates.samples(work, self.tier)


class EstimateBook:
    """What jobs need, and the tier that each person's jobs run in.

    The tier is what the queue said when it took the person's last batch. It may be out of date for one batch after a
    change of plan: that changes an estimate, and neither what may be spent nor what is charged.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._estimates = Estimates({}, {})
        self._due = 0.0
        self._refreshing = asyncio.Lock()
        self._tiers: OrderedDict[UUID, str] = OrderedDict()

    async def of(self, user_id: UUID, *, fresh: bool = False) -> PersonEstimates:
        """Estimates for one person. Parameters: fresh: their plan is looked up, whatever is remembered."""
        if time.monotonic() >= self._due:
            await self._refresh()
        tier = None if fresh else self._tiers.get(user_id)
        if tier is None:
            async with self._database.read(user_id) as db:
                tier = await billing.gpu_tier(db)
            if tier is not None:
                self.runs_in(user_id, tier)
        return PersonEstimates(self._estimates, tier or "")

    def runs_in(self, user_id: UUID, tier: str) -> None:
        """The queue has taken a batch of this person into this tier."""
        self._tiers[user_id] = tier
        self._tiers.move_to_end(user_id)
        if len(self._tiers) > _PEOPLE:
            self._tiers.popitem(last=False)

    async def _refresh(self) -> None:
        async with self._refreshing:
            if time.monotonic() < self._due:  # somebody else did while we waited
                return
            try:
                async with self._database.read(billing.NOBODY) as db:
                    self._estimates = Estimates(await repository.learnt(db), await billing.tier_rates(db))
            except ServiceError as error:  # what was known a minute ago will do
                log.warning("estimates_not_refreshed", error=error.code)
            self._due = time.monotonic() + REFRESH_SECONDS
