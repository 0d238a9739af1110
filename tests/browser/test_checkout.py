"""A person buys a plan and ends it again, on the pages of the local Stripe, with everything running by itself."""

from __future__ import annotations

from pathlib import Path

from tests.browser.street import Street
from tests.stripe_server import DECLINED, GOOD
from tests.waiting import eventually


async def test_a_plan_is_bought_and_ended(street: Street, screenshots: Path) -> None:
    url = (await street.ada.post("/api/v1/billing/subscribe", json={"plan": "pro"})).json()["url"]
    await street.page.goto(url)
    assert await street.page.get_by_role("heading", name="Pro").is_visible()
    await street.card(DECLINED, "Subscribe")
    assert "declined" in await street.page.get_by_role("alert").inner_text()
    await street.page.screenshot(path=screenshots / "checkout-declined.png")
    await street.card(GOOD, "Subscribe")
    await street.page.wait_for_url(f"{street.api.url}/**")

    async def is_pro() -> bool:
        found = await street.summary()
        return bool(found["status"] == "active" and found["balance"] == 15_500)

    await eventually(is_pro)
    await street.page.goto((await street.ada.post("/api/v1/billing/portal")).json()["url"])
    await street.page.get_by_role("button", name="Cancel subscription").click()
    await street.page.get_by_role("button", name="Don't cancel").wait_for()
    await street.page.screenshot(path=screenshots / "portal-cancelled.png")

    async def ends() -> bool:
        return bool((await street.summary())["cancel_at_period_end"])

    await eventually(ends)
    await street.page.get_by_role("button", name="Don't cancel").click()

    async def goes_on() -> bool:
        return not await ends()

    await eventually(goes_on)
