"""A page that was cut off from the service shows, when it is back, what came about meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import Browser, WebSocketRoute, expect

from tests.browser.conftest import Deployment
from tests.browser.people import PATIENCE, STARTER, Visitor
from tests.graphs import batch_body, picture_graph
from tests.waiting import eventually


class Wire:
    """The page's socket, with somebody at the cable."""

    def __init__(self) -> None:
        self.cut = False
        self.made = 0
        self.upgraded = asyncio.Event()
        self._open: list[WebSocketRoute] = []

    async def connect(self, route: WebSocketRoute) -> None:
        self.made += 1
        if self.cut:
            await route.close(code=1001)
            return
        server = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            server.send(message)
            if message == "5":  # engine.io's: from now on this connection, and no longer polling
                self.upgraded.set()

        route.on_message(pass_on)
        self._open.append(route)

    async def pull(self) -> None:
        """Ends what is open, and lets nothing through until `plug`."""
        self.cut = True
        for route in self._open:
            await route.close(code=1001)
        self._open.clear()

    def plug(self) -> None:
        self.cut = False


async def test_a_picture_made_while_the_page_was_cut_off_is_there_when_it_is_back(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    wire = Wire()
    await ada.page.route_web_socket("**/ws/socket.io/**", wire.connect)
    polls = "**/ws/socket.io/**transport=polling**"
    await ada.move_in("Ada")
    token = await ada.page.evaluate("localStorage.getItem('auth_token')")
    # Until its socket is there the page invokes nothing, and its first connection is no return.
    invoke = ada.page.get_by_role("button", name="Invoke", exact=False).first
    await expect(invoke).to_be_enabled()
    await asyncio.wait_for(wire.upgraded.wait(), PATIENCE / 1000)
    await ada.page.route(polls, lambda route: route.abort() if wire.cut else route.continue_())
    before = wire.made
    await wire.pull()
    await _enqueue(ada, deployment, token)
    await eventually(lambda: _made(ada, deployment, token))
    await ada.page.wait_for_timeout(3000)  # nothing but the socket would tell the page
    await expect(ada.pictures).to_have_count(0)
    await ada.look("cut-off")
    wire.plug()
    await expect(ada.pictures).to_have_count(1)
    assert await ada.shown(ada.pictures.locator("img").first)
    assert wire.made > before
    await ada.look("back")


async def _enqueue(ada: Visitor, deployment: Deployment, token: str) -> None:
    """From another window of theirs: this page does not know that there is anything to wait for."""
    body = batch_body(picture_graph(key=STARTER["key"], hash=STARTER["hash"]))
    answer = await ada.context.request.post(
        f"{deployment.url}/api/v1/queue/default/enqueue_batch",
        data=body,
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.ok, await answer.text()


async def _made(ada: Visitor, deployment: Deployment, token: str) -> bool:
    """Whether the picture is made, as the service itself says, not the page."""
    url, headers = f"{deployment.url}/api/v1/queue/default/status", {"authorization": f"Bearer {token}"}
    answer = await (await ada.context.request.get(url, headers=headers)).json()
    return bool(answer["queue"]["completed"] == 1)
