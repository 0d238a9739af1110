"""One customer's whole way with money, and what staff give and take: everything by hand, in a browser.

InvokeAI's page, our own, Stripe's (the local one's) and staff's pages; a worker with the mock engine draws.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pyotp
import pytest
from playwright.async_api import Browser, Page, expect

from invokeai_saas.identity.staff import operating
from invokeai_saas.settings import Settings
from tests.browser.people import STARTER, Visitor
from tests.browser.street import Street, open_street
from tests.graphs import add_model
from tests.processes import saas
from tests.servers import TestDatabase
from tests.stripe_server import DECLINED, FAILS_LATER, GOOD


@pytest.fixture
async def town(
    settings: Settings, database: TestDatabase, tmp_path: Path, chromium: Browser
) -> AsyncIterator[Street]:
    """A service that sells and draws."""
    add_model(database, **STARTER)
    drawing = settings.model_copy(
        update={
            "worker_engine": "mock",
            "mock_step_seconds": 0.05,
            "worker_tiers": "basic,high_performance",
        }
    )
    with saas(drawing, "worker"):
        async with open_street(drawing, tmp_path, chromium) as street:
            yield street


async def _pay(page: Page, number: str, button: str) -> None:
    await page.get_by_label("Card number").fill(number)
    await page.get_by_label("Expires (MM / YY)").fill("12 / 40")
    await page.get_by_label("Security code").fill("123")
    await page.get_by_role("button", name=button).click()


def _use_up(database: TestDatabase, email: str) -> None:
    """As one job of all that is left would."""
    with psycopg.connect(database.owner) as connection:
        for step in ("_credits_reserve(id, 1, n)", "_credits_settle(id, 1, n, 'A very large picture')"):
            connection.execute(
                f"SELECT _credits_lock(id), {step} FROM users,"
                " LATERAL (SELECT coalesce((SELECT amount FROM credit_reservations WHERE item_id = 1),"
                " _credits_available(id)) AS n) AS left_over WHERE email = %s".encode(),
                [email],
            )


async def _to_account(person: Visitor) -> Page:
    await person.bar.click()
    await person.page.wait_for_url("**/account")
    await person.page.locator("#plan-name").wait_for()
    return person.page


async def _draw(person: Visitor, count: int) -> None:
    await person.open("/app")
    await person.prompt.wait_for()
    await person.invoke("a red heart")
    await expect(person.pictures).to_have_count(count)


async def test_from_a_trial_to_the_end_of_a_plan(
    town: Street, database: TestDatabase, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, town.api.url, screenshots)
    page = ada.page
    await ada.open("/")
    await page.get_by_role("link", name="Start free trial").first.click()
    await page.get_by_label("E-mail").wait_for()
    email = await ada.sign_up("Ada")
    await ada.settle_in()
    await ada.invoke("a red heart")
    await expect(ada.pictures).to_have_count(1)

    _use_up(database, email)
    await ada.invoke("a blue circle")
    await expect(page.get_by_text("credits and 0 are available").first).to_be_visible()
    await expect(page.get_by_text("add credits").first).to_be_visible()
    await ada.look("70-trial-used-up")
    await _to_account(ada)
    await expect(page.locator("#available")).to_have_text("0")

    await page.get_by_role("button", name="Choose a plan").click()
    await page.get_by_role("button", name="Choose Pro").click()
    await _pay(page, DECLINED, "Subscribe")
    await expect(page.get_by_role("alert")).to_contain_text("declined")
    await ada.look("71-card-declined")
    await _pay(page, GOOD, "Subscribe")
    await page.wait_for_url("**/account**")
    await expect(page.get_by_text("Thank you. Your plan is Pro now.")).to_be_visible()
    await expect(page.locator("#available")).to_have_text("15,000")
    await ada.look("72-pro")
    await _draw(ada, 2)

    await _to_account(ada)
    question = page.get_by_role("dialog")
    await page.get_by_role("button", name="Change plan").click()
    await page.get_by_role("button", name="Choose Studio").click()
    await expect(question).to_contain_text("begins at once")
    await ada.look("73-upgrade")
    await question.get_by_role("button", name="and change").click()
    await expect(page.locator("#plan-name")).to_have_text("Studio")
    await expect(page.locator("#invoice-rows tr")).to_have_count(2)
    await _draw(ada, 3)

    await _to_account(ada)
    await page.get_by_role("button", name="Change plan").click()
    await page.get_by_role("button", name="Choose Starter").click()
    await expect(question).to_contain_text("Nothing is charged today")
    await question.get_by_role("button", name="Change on").click()
    await expect(page.locator("#plan-terms")).to_contain_text("Starter")
    await ada.look("74-downgrade")
    await page.get_by_role("button", name="Keep Studio").click()
    await expect(page.get_by_role("button", name="Keep Studio")).to_be_hidden()

    await page.get_by_role("button", name="Cancel plan").click()
    await question.get_by_role("button", name="Cancel plan").click()
    await expect(page.locator("#plan-terms")).to_contain_text("Ends")
    await ada.look("75-cancelled")
    await page.get_by_role("button", name="Keep Studio").click()
    await expect(page.locator("#plan-terms")).to_contain_text("Renews")

    await page.get_by_role("button", name="Payment method").click()
    await _pay(page, FAILS_LATER, "Use this card")
    await expect(page.get_by_text(f"ending in {FAILS_LATER[-4:]}")).to_be_visible()
    await asyncio.to_thread(town.let_days_pass, 32)
    await ada.open("/account")
    unpaid = page.locator("#notices .bad")
    for _ in range(60):  # Stripe's message is on its way
        if await unpaid.count():
            break
        await page.wait_for_timeout(500)
        await page.reload()
        await page.locator("#plan-name").wait_for()
    await expect(unpaid).to_be_visible()
    await ada.look("76-unpaid")
    await unpaid.get_by_role("button").click()
    await _pay(page, GOOD, "Use this card")
    await expect(page.get_by_text(f"ending in {GOOD[-4:]}")).to_be_visible()
    for _ in range(60):
        await ada.open("/account")
        await page.locator("#plan-name").wait_for()
        if not await unpaid.count():
            break
        await page.wait_for_timeout(500)
    await expect(unpaid).to_have_count(0)
    await expect(page.locator("#plan-terms")).to_contain_text("Renews")
    await ada.look("77-paid-again")


async def test_staff_make_a_tester_and_end_it(
    town: Street, database: TestDatabase, chromium: Browser, screenshots: Path
) -> None:
    bob = await Visitor.arrive(chromium, town.api.url, screenshots)
    email = await bob.move_in("Bob")
    made = operating.add(database.owner, "staff@example.com")
    code = pyotp.TOTP(parse_qs(urlsplit(made.otpauth).query)["secret"][0])
    staff = await Visitor.arrive(chromium, town.api.url, screenshots)
    desk = staff.page
    await staff.open("/admin")
    await desk.get_by_label("E-mail").fill("staff@example.com")
    await desk.get_by_label("Password").fill(made.password)
    await desk.get_by_label("Code of your authenticator").fill(code.now())
    await desk.get_by_role("button", name="Log in").click()
    await desk.get_by_role("link", name="People").click()
    await staff.look("78-people")
    await desk.get_by_role("link", name=email).click()
    granting = desk.locator("form", has_text="Make a tester")
    await granting.get_by_label("Last day").fill((datetime.now(UTC) + timedelta(days=14)).date().isoformat())
    await granting.get_by_label("Reason").fill("tries FLUX for us")
    await granting.get_by_role("button", name="Grant the tester plan").click()
    await expect(desk.get_by_role("heading", name="Tester until")).to_be_visible()
    await staff.look("79-tester-granted")

    await _to_account(bob)
    page = bob.page
    await expect(page.locator("#plan-name")).to_have_text("Tester")
    await expect(page.locator("#plan-terms")).to_contain_text("Ends")
    await bob.look("80-tester")
    await _draw(bob, 1)

    ending = desk.locator("form", has_text="Tester until")
    await ending.get_by_label("Reason").fill("the test is over")
    await ending.get_by_role("button", name="Revoke").click()
    await expect(desk.get_by_role("heading", name="Make a tester")).to_be_visible()
    await desk.get_by_role("link", name="Log", exact=False).last.click()
    await expect(desk.get_by_text("the test is over")).to_be_visible()
    await expect(desk.get_by_text("tries FLUX for us")).to_be_visible()
    await staff.look("81-audit-log")
    await bob.open("/account")
    await expect(page.locator("#notices .bad")).to_be_visible()
    await bob.look("82-revoked")
    await bob.open("/app")
    await bob.prompt.wait_for()
    await bob.invoke("a red heart")
    await expect(page.get_by_text("You have no plan right now").first).to_be_visible()
