"""The scheduler's tasks with its own role, on real servers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg

from invokeai_saas.scheduler.loop import Scheduler
from invokeai_saas.settings import Settings
from tests.factories import make_download, make_person
from tests.servers import TestDatabase


async def test_each_task_may_do_its_work(settings: Settings, database: TestDatabase) -> None:
    ada, past = make_person(database), datetime.now(UTC) - timedelta(seconds=1)
    with psycopg.connect(database.owner) as connection:
        make_download(connection, ada, state="preparing", file_size_bytes=None, alive_until=past)
        make_download(connection, ada, expires_at=past)
    scheduler = Scheduler(settings)
    names = [task.name for task in scheduler._tasks]
    assert {"reap", "reap_downloads", "drop_downloads", "sweep_files"} <= set(names)
    for task in scheduler._tasks:
        await asyncio.to_thread(task.action)
    scheduler.close()
    with psycopg.connect(database.owner) as connection:
        left = connection.execute("SELECT state FROM bulk_downloads").fetchall()
    assert left == [("failed",)]
