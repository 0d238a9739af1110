"""The scheduler's tasks with its own role, on real servers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg

from invokeai_saas.scheduler.loop import Scheduler
from invokeai_saas.settings import Settings
from tests.factories import make_download, make_person
from tests.mail.box import Mailbox
from tests.processes import saas
from tests.servers import TestDatabase
from tests.waiting import eventually


async def test_each_task_may_do_its_work(settings: Settings, database: TestDatabase) -> None:
    ada, past = make_person(database), datetime.now(UTC) - timedelta(seconds=1)
    with psycopg.connect(database.owner) as connection:
        make_download(connection, ada, state="preparing", file_size_bytes=None, alive_until=past)
        make_download(connection, ada, expires_at=past)
    scheduler = Scheduler(settings)
    names = [task.name for task in scheduler._tasks]
    assert {"reap", "reap_downloads", "drop_downloads", "sweep_files", "mail", "remind"} <= set(names)
    for task in scheduler._tasks:
        await asyncio.to_thread(task.action)
    scheduler.close()
    with psycopg.connect(database.owner) as connection:
        left = connection.execute("SELECT state FROM bulk_downloads").fetchall()
    assert left == [("failed",)]


async def test_the_process_sends_mail_by_itself(settings: Settings, database: TestDatabase) -> None:
    box = Mailbox(database, settings.data_dir / "mail")
    ada = make_person(database, "ada@example.com")
    with saas(settings, "scheduler"):
        box.put(ada)
        await eventually(lambda: [mail for mail in box.arrived() if mail["To"] == "ada@example.com"])
        await eventually(lambda: box.rows()[0]["state"] == "sent")
