"""What the page shows of the queue stays true, however slowly its questions are answered."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from playwright.async_api import Browser, Route, WebSocket, expect

from tests.browser.conftest import Deployment
from tests.browser.people import PATIENCE, Visitor

SLOW_READER = """
    const read = Response.prototype.text;
    Response.prototype.text = async function () {
        const text = await read.call(this);
        if (text.includes('"status":"in_progress"')) await window.untilItIsOver();
        return text;
    };
"""


def _end_of_the_job(ada: Visitor) -> asyncio.Event:
    """Set once the page's socket has been told that a job is completed."""
    over = asyncio.Event()

    def listen(socket: WebSocket) -> None:
        if "sid=" in socket.url:  # the page's, which begins with polling; ours does not
            socket.on(
                "framereceived", lambda data: over.set() if '"status":"completed"' in str(data) else None
            )

    ada.page.on("websocket", listen)
    return over


async def _assert_nothing_runs(ada: Visitor) -> None:
    await expect(ada.page.get_by_role("button", name="Cancel", exact=True)).to_be_disabled()
    await ada.page.get_by_test_id("Queue").click()  # by the time that it is drawn, late answers have arrived
    await expect(ada.page.get_by_text("In Progress", exact=True)).to_be_visible()
    await ada.page.get_by_test_id("Generate").click()
    await expect(ada.page.get_by_role("button", name="Cancel", exact=True)).to_be_disabled()


async def test_a_job_that_ends_while_the_page_asks_about_it_is_not_shown_as_running(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    over, told = _end_of_the_job(ada), asyncio.Event()

    async def answer_when_it_is_over(route: Route) -> None:
        answer = await route.fetch()
        running = '"status":"in_progress"' in await answer.text()
        if running:
            await asyncio.wait_for(over.wait(), PATIENCE / 1000)
        await route.fulfill(response=answer)
        if running:
            told.set()

    await ada.page.route("**/api/v1/queue/default/current", answer_when_it_is_over)
    await ada.move_in("Ada")
    for _ in range(5):  # a slow page may ask too late: then nothing was held back, and nothing was tried
        over.clear()
        await ada.invoke("a red heart")
        await asyncio.wait_for(over.wait(), PATIENCE / 1000)
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), 2)
            break
    assert told.is_set()
    await _assert_nothing_runs(ada)


async def test_a_job_that_ends_while_the_page_reads_an_answer_about_it_is_not_shown_as_running(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    over = _end_of_the_job(ada)

    async def until_it_is_over() -> None:
        await asyncio.wait_for(over.wait(), PATIENCE / 1000)
        await asyncio.sleep(0.5)  # the page, too, is to have heard it

    await ada.page.expose_function("untilItIsOver", until_it_is_over)
    await ada.page.add_init_script(SLOW_READER)
    await ada.move_in("Ada")
    await ada.invoke("a red heart")
    await asyncio.wait_for(over.wait(), PATIENCE / 1000)
    await asyncio.sleep(2)  # for what it reads late
    await _assert_nothing_runs(ada)
