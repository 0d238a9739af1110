"""The measured calls against our own API: seeded rows are what it lists, and its answers are whole."""

from __future__ import annotations

import asyncio
import json

import pytest

from bench import service
from bench.calls import ALL_BOARDS, BOTH, PAGE, Call
from bench.client import Traffic
from bench.contender import BenchError
from bench.library import Library
from bench.load import measure, percentile
from invokeai_saas.settings import Settings
from tests.apps import LiveApi
from tests.servers import TestDatabase

LIBRARY = Library(pictures=400, others=600, boards=5, people=3, boards_each=2)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With the room that the benchmark gives itself: no worker takes what a fast machine queues here."""
    return settings.model_copy(update={"max_pending_jobs": 1_000_000})


async def _token(api: LiveApi, database: TestDatabase) -> str:
    person = await api.person("ada@example.com")
    await asyncio.to_thread(service.seed, database.owner, str(person.user_id), LIBRARY)
    return str(person.token)


async def test_every_call_is_answered_whole(live_api: LiveApi, database: TestDatabase) -> None:
    token = await _token(live_api, database)
    for call in BOTH:
        traffic = Traffic(live_api.settings.port, call.request(token), 2, call.statuses)
        load = await asyncio.to_thread(measure, traffic, 0.2)
        call.require_whole(load.first, LIBRARY)
        assert load.rate > 0
        assert len(load.probes) > 1
        assert percentile(load.waits, 0.5) <= percentile(load.waits, 0.99)


def _page(names: int, total: int) -> bytes:
    return json.dumps({"items": [{"image_name": str(n)} for n in range(names)], "total": total}).encode()


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (PAGE, _page(99, 200)),
        (PAGE, _page(100, 199)),
        (PAGE, b"[]"),
        (PAGE, b"no JSON"),
        (ALL_BOARDS, b"[]"),
    ],
)
def test_half_an_answer_is_refused(call: Call, body: bytes) -> None:
    with pytest.raises(BenchError):
        call.require_whole(body, LIBRARY)


def test_a_whole_page_is_not() -> None:
    PAGE.require_whole(_page(100, 200), LIBRARY)
