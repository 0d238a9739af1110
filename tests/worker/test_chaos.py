"""Eight people, 25 jobs each, two workers, and a killer."""

from __future__ import annotations

from invokeai_saas.settings import Settings
from tests.servers import TestDatabase
from tests.worker.chaos import ChaosPlan, check, run_chaos


async def test_killed_workers_lose_no_job_and_charge_none_twice(
    database: TestDatabase, settings: Settings
) -> None:
    plan = ChaosPlan()
    report = await run_chaos(database, settings, plan)
    check(report, plan)
