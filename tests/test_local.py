"""The whole service on one machine."""

from __future__ import annotations

from invokeai_saas.local import worker_tiers
from invokeai_saas.settings import Settings
from tests.servers import TestDatabase


def test_workers_serve_the_jobs_of_every_plan(database: TestDatabase) -> None:
    """With the default of a worker by itself, jobs of a dearer plan would wait for ever."""
    assert worker_tiers(Settings(), database.owner) == ["basic", "high_performance", "dedicated"]


def test_workers_serve_the_tiers_that_are_named(database: TestDatabase) -> None:
    assert worker_tiers(Settings(worker_tiers="basic,dedicated"), database.owner) == ["basic", "dedicated"]
