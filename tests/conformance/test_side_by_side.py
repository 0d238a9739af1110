"""The same session with stock InvokeAI and with us: equal statuses, equal forms, and the values that must agree.

Whatever differs on purpose stands in `differences.py` with a reason; anything else fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from invokeai_saas.settings import Settings
from tests.apps import LiveApi
from tests.conformance import stock
from tests.conformance.differences import INCIDENTAL, INTENDED, UNTOLD, Seen, covers
from tests.conformance.player import Answer, Player
from tests.conformance.session import SESSION, Step
from tests.conformance.shapes import at, unlike
from tests.contract import OPERATIONS
from tests.workers import working

pytestmark = pytest.mark.stock
STEPS = [step for step in SESSION if step.is_compared]


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with stock.served(Path(tmp_path_factory.mktemp("stock"))) as url:
        yield url


@pytest.fixture
async def ours(live_api: LiveApi, settings: Settings) -> AsyncIterator[str]:
    await live_api.person(stock.EMAIL)
    async with working(settings):
        yield live_api.url


async def _played(url: str, steps: list[Step]) -> list[Answer]:
    # A connection for each request: servers close idle ones, and a slow machine would notice too late.
    async with httpx.AsyncClient(
        base_url=url, timeout=120, limits=httpx.Limits(max_connections=1, max_keepalive_connections=0)
    ) as client:
        player = await Player.log_in(client, stock.EMAIL)
        return await player.play(steps)


def _seen(step: Step, theirs: Answer, ours: Answer) -> Iterator[Seen]:
    """Each difference between two answers to one step."""
    if theirs.status == 422 and not step.is_served and ours.status < 400:
        return  # whatever is asked of nothing, nothing is the answer
    if theirs.status != ours.status:
        yield Seen(step.label, "status", str(theirs.status), str(ours.status))
        return
    if theirs.media_type != ours.media_type:
        yield Seen(step.label, "media type", theirs.media_type or "none", ours.media_type or "none")
    for found in unlike(theirs.body, ours.body):
        yield Seen(step.label, *found)
    alike = theirs.status < 400 and step.is_served
    for place in step.same if alike else ():
        there, here = at(theirs.body, place), at(ours.body, place)
        if there != here:
            yield Seen(step.label, f"{place} =", str(there)[:200], str(here)[:200])


async def test_the_same_session_gets_the_same_answers(theirs: str, ours: str) -> None:
    expected, got = await _played(theirs, SESSION), await _played(ours, STEPS)
    pairs = zip(
        STEPS, [e for e, step in zip(expected, SESSION, strict=True) if step.is_compared], got, strict=True
    )
    seen = [difference for step, there, here in pairs for difference in _seen(step, there, here)]
    unexplained = [
        str(found) for found in seen if not any(covers(line, found) for line in [*INTENDED, *INCIDENTAL])
    ]
    assert not unexplained, "\n".join(unexplained)
    idle = [intended for intended in INTENDED if not any(covers(intended, found) for found in seen)]
    assert not idle, f"no longer so: {idle}"


def test_the_session_calls_each_operation_that_is_served() -> None:
    called = {step.name for step in SESSION}
    left_out = {operation.name for operation in OPERATIONS if operation.is_answered} - called
    assert left_out == UNTOLD.keys()
