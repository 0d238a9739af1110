"""Our bar beside InvokeAI's own controls, and what it tells people that the page does not."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.conftest import Deployment
from tests.browser.people import DESKTOP, PATIENCE, PHONE, Visitor

# Controls of the page that lie under our bar, or reach into it, as it is painted: a frame may begin with the page's own
# changes, which the bar follows before anybody sees them.
_COVERED = """async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const host = document.querySelector("invokeai-saas-bar");
    const box = host.shadowRoot.querySelector(".chip").getBoundingClientRect();
    const controls = "button, a, input, textarea, select, [role=button], [tabindex='0']";
    return [...document.querySelectorAll(controls)].map((control) => [control, control.getBoundingClientRect()])
        .filter(([control]) => control.checkVisibility({ visibilityProperty: true }))
        .filter(([, r]) => r.left < box.right && r.right > box.left && r.top < box.bottom && r.bottom > box.top)
        .map(([control]) => control.outerHTML.slice(0, 120));
}"""


@pytest.mark.parametrize(("size", "name"), [(DESKTOP, "desktop"), (PHONE, "phone"), ((900, 480), "low")])
async def test_it_covers_no_control(
    deployment: Deployment, chromium: Browser, screenshots: Path, size: tuple[int, int], name: str
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots, size)
    await ada.move_in("Ada")
    assert await ada.credits() == 500
    assert await ada.page.evaluate(_COVERED) == []
    await ada.look(f"08-bar-{name}")
    await ada.page.reload()  # icons join the rail while the page loads
    await ada.page.get_by_role("button", name="Notifications").wait_for()
    await ada.bar.wait_for()
    assert await ada.page.evaluate(_COVERED) == []


async def test_it_opens_by_keyboard_and_says_what_it_shows(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    await ada.bar.focus()
    await expect(ada.bar).to_have_attribute("aria-label", "500 credits available, Trial plan. Account")
    card = ada.page.locator("invokeai-saas-bar .card")
    await expect(card).to_be_visible()
    await expect(card).to_contain_text("Trial plan, until")
    await ada.look("09-bar-open")
    await ada.page.keyboard.press("Enter")
    await ada.page.wait_for_url("**/account")


async def test_it_speaks_the_language_of_our_other_pages(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    """The browser's, until another one is chosen on a page of ours."""
    ada = await Visitor.arrive(chromium, deployment.url, screenshots, locale="ko-KR")
    await ada.open("/login")
    join = ada.page.locator("invokeai-saas-bar .join")
    await expect(join).to_be_visible()
    await expect(join).to_contain_text("처음이신가요?")
    await ada.page.wait_for_timeout(2000)  # for the eyes only: the page's emblem goes
    await ada.look("09-bar-join-korean")
    await ada.open("/signup?lang=en")
    await ada.sign_up("Ada")
    await ada.settle_in()
    await expect(ada.bar).to_have_attribute("aria-label", "500 credits available, Trial plan. Account")
    await ada.page.wait_for_timeout(3000)  # for the eyes only: the page keeps that it has shown what is new
    await ada.open("/pricing?lang=ko")
    await ada.open("/app")
    await expect(ada.bar).to_have_attribute(
        "aria-label", "사용 가능 500 크레딧, Trial 요금제. 계정", timeout=PATIENCE
    )
    await expect(ada.bar).to_be_visible()
    await ada.bar.focus()
    card = ada.page.locator("invokeai-saas-bar .card")
    await expect(card).to_be_visible()
    await expect(card).to_contain_text("잔액")
    await ada.look("09-bar-korean")


async def test_the_page_works_where_our_endpoints_fail(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)

    async def fail(route: Route) -> None:
        await route.fulfill(status=500, body="not even JSON")

    await ada.page.route("**/api/v1/account/**", fail)
    await ada.move_in("Ada")
    await ada.invoke("a blue circle")
    await expect(ada.pictures).to_have_count(1)
    await expect(ada.bar).to_be_hidden()
    assert not [text for text in ada.complaints if text.startswith("uncaught")]


async def test_it_looks_by_itself_where_sockets_are_blocked(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.page.route_web_socket("**/ws/**", lambda socket: socket.close())
    await ada.page.clock.install()
    email = await ada.move_in("Ada")
    assert await ada.credits() == 500
    with psycopg.connect(deployment.database.owner) as connection:
        connection.execute(
            "SELECT credits_grant(id, 1000, 'pack', now(), now() + interval '60 days', 'pack:1', 'A pack')"
            " FROM users WHERE email = %s",
            [email],
        )
    await ada.page.clock.fast_forward("00:31")
    await expect(ada.page.locator("invokeai-saas-bar .amount")).to_have_text("1,500")


async def test_a_refused_job_says_why(deployment: Deployment, chromium: Browser, screenshots: Path) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    email = await ada.move_in("Ada")
    with psycopg.connect(deployment.database.owner) as connection:
        connection.execute(
            "UPDATE credits SET used_credits = total_credits FROM users u WHERE u.id = user_id AND u.email = %s",
            [email],
        )
    await ada.invoke("a red heart")
    toast = ada.page.get_by_text("credits and 0 are available")
    await expect(toast.first).to_be_visible()
    await ada.page.wait_for_timeout(400)  # for the eyes only: toasts fade in
    await ada.look("10-refused")
    await expect(ada.page.get_by_text("Unknown Error")).to_have_count(0)
    await expect(ada.pictures).to_have_count(0)


async def test_refusals_that_the_page_has_no_words_for_are_told(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    told = "Your storage is full. Delete pictures, or choose a larger plan."

    async def refuse(route: Route) -> None:
        await route.fulfill(status=507, json={"detail": told, "code": "storage_quota_exceeded"})

    await ada.page.route("**/api/v1/boards/*", refuse)
    await ada.page.get_by_test_id("add-board-button").click()
    await expect(ada.notice).to_contain_text(told)
    await ada.look("11-notice")
    await ada.notice.get_by_role("button", name="Close").click()
    await expect(ada.notice).to_be_hidden()
