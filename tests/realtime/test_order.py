"""The last that a page hears of its queue leaves it with what is true."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.apps import LiveApi, Subject
from tests.graphs import add_model, batch_body, seeds
from tests.realtime.clients import Listener, listening
from tests.servers import TestDatabase
from tests.waiting import eventually
from tests.workers import working

QUEUE = "/api/v1/queue/default"
OVER = ("completed", "failed", "canceled")


class Page:
    """What InvokeAI's page shows of the queue's counts: it reads them at events, but not at each.

    Once the queue was cleared, its jobs are over for it: their further states it passes by, counts and all.
    """

    def __init__(self, person: Subject, listener: Listener) -> None:
        self._person, self._listener = person, listener
        self._states: dict[int, str] = {}
        self.shown: dict[str, Any] = {}
        self.passed: set[str] = set()  # names of what it has acted on

    async def look_on(self) -> None:
        """Acts on events as they come, until cancelled."""
        done = 0
        while True:
            for name, payload in self._listener.heard[done:]:
                done += 1
                if self._heeds(name, payload):
                    self.shown = await self.read()
                self.passed.add(name)
            await asyncio.sleep(0.01)

    def _heeds(self, name: str, payload: dict[str, Any]) -> bool:
        if name == "queue_cleared":
            self._states = dict.fromkeys(self._states, "canceled")
        elif name == "queue_item_status_changed":
            if self._states.get(payload["item_id"]) in OVER:
                return False
            self._states[payload["item_id"]] = payload["status"]
        return name.startswith(("queue_", "batch_"))

    async def read(self) -> dict[str, Any]:
        answer = await self._person.get(f"{QUEUE}/status")
        counts: dict[str, Any] = answer.json()["queue"]
        return counts


@pytest.mark.parametrize("cancel_first", [False, True])
async def test_a_queue_cleared_while_a_job_runs(
    live_api: LiveApi, database: TestDatabase, cancel_first: bool
) -> None:
    add_model(database)
    ada = await live_api.person("ada@example.com")
    assert ada.user_id is not None
    async with listening(live_api.url, ada.token) as listener:
        page = Page(ada, listener)
        looking = asyncio.create_task(page.look_on())
        async with working(live_api.settings, mock_step_seconds=0.5):
            body = (await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(data=seeds(1, 2)))).json()
            await eventually(lambda: page.shown.get("in_progress") == 1)
            if cancel_first:
                await ada.put(f"{QUEUE}/i/{body['item_ids'][0]}/cancel")
            await ada.put(f"{QUEUE}/clear")
            await eventually(lambda: "canceled" in _statuses(listener))
        # The worker is gone and has said all that it says; what is said now comes after that.
        await live_api.services.publisher.publish(ada.user_id, "the_last", {})
        await eventually(lambda: looking.done() or "the_last" in page.passed)
        assert page.shown == await page.read()
        assert page.shown["in_progress"] == page.shown["pending"] == 0
        looking.cancel()


def _statuses(listener: Listener) -> list[str]:
    return [payload["status"] for payload in listener.of("queue_item_status_changed")]
