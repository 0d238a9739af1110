"""Our pages as customers use them: prices, sign-up with a plan, the account, in both languages and on any screen."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from playwright.async_api import Browser, Page, expect

from tests.apps import PASSWORD
from tests.browser.people import DESKTOP, PHONE, Visitor
from tests.browser.street import Street
from tests.servers import TestDatabase
from tests.stripe_server import GOOD

SIZES = {"desktop": DESKTOP, "phone": PHONE, "small": (360, 640)}
USED = """
    INSERT INTO usage_records (user_id, job_id, action_type, model_used, gpu_tier, steps, width, height, batch_size,
        compute_seconds, credits_consumed, model_base, outcome, created_at)
    SELECT %s, 'seed-' || m || '-' || d, 'generate', (ARRAY['Starter', 'Stable Diffusion XL', 'FLUX.1 schnell'])[m],
        'basic', 20, 256, 256, 1, 3.5 * m + d %% 5, ceil(3.5 * m + d %% 5), 'sd-1', 'completed',
        now() - d * interval '1 day'
    FROM generate_series(0, 24) d, generate_series(1, 3) m WHERE (d * m) %% 4 <> 1
"""


async def visitor(street: Street, chromium: Browser, shots: Path, size: str, language: str) -> Visitor:
    width, height = SIZES[size]
    context = await chromium.new_context(
        viewport={"width": width, "height": height}, locale="ko-KR" if language == "ko" else "en-US"
    )
    return Visitor(context, await context.new_page(), street.api.url, shots)


async def log_in(page: Page, street: Street) -> None:
    await page.goto(f"{street.api.url}/welcome")
    await page.evaluate("token => localStorage.setItem('auth_token', token)", street.ada.token)


async def assert_fits(page: Page) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for name in await page.evaluate(
        "[...document.querySelectorAll('a, button, select, input')].filter((one) => one.checkVisibility()"
        " && one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.scroll, .jump'))"
        ".map((one) => one.outerHTML)"
    ):
        pytest.fail(f"outside of the page: {name}")


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", SIZES)
async def test_pages_for_strangers(
    street: Street, chromium: Browser, screenshots: Path, size: str, language: str
) -> None:
    person = await visitor(street, chromium, screenshots, size, language)
    for path, name in (
        ("/", "landing"),
        ("/pricing", "pricing"),
        ("/signup?plan=pro", "sign-up"),
        ("/nowhere", "404"),
    ):
        await person.open(path)
        await expect(person.page.locator("html")).to_have_attribute("lang", language)
        await assert_fits(person.page)
        await person.page.evaluate(
            "document.querySelectorAll('img').forEach((image) => { image.loading = 'eager' })"
        )
        await person.page.wait_for_load_state("networkidle")
        shot = screenshots / f"60-{name}-{size}-{language}.png"
        await person.page.screenshot(path=shot, full_page=True)
    assert [text for text in person.complaints if "404" not in text] == []
    await person.open("/pricing")
    year = person.page.locator("#by-year")
    await expect(person.page.get_by_text("750")).to_be_hidden()
    await year.focus()
    await person.page.keyboard.press("Space")
    await expect(person.page.get_by_text("750")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("size", SIZES)
async def test_the_account_in_every_language_and_size(
    street: Street, database: TestDatabase, chromium: Browser, screenshots: Path, size: str, language: str
) -> None:
    person = await visitor(street, chromium, screenshots, size, language)
    await street.ada.put("/api/v1/account/language", json={"language": language})
    with psycopg.connect(database.owner) as connection:
        connection.execute(USED, [street.ada.user_id])
    page = person.page
    await log_in(page, street)
    await person.open("/account")
    await expect(page.locator("#available")).to_have_text("500")
    chart = page.get_by_role(
        "img", name="날짜와 모델별 크레딧" if language == "ko" else "Credits by day and model"
    )
    await expect(chart).to_be_visible()
    await expect(page.locator("#usage-rows tr").first).to_be_visible()
    await expect(page.locator("#storage-text")).to_contain_text("20 GB")
    await page.wait_for_load_state("networkidle")
    await assert_fits(page)
    await page.screenshot(path=screenshots / f"61-account-{size}-{language}.png", full_page=True)
    await page.locator("#plan-actions button").first.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator("#choices li")).to_have_count(3)
    await assert_fits(page)
    await page.screenshot(path=screenshots / f"62-chooser-{size}-{language}.png")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page.locator("#plan-actions button").first).to_be_focused()
    assert person.complaints == []


async def test_a_plan_is_bought_changed_and_ended(street: Street, screenshots: Path) -> None:
    page = street.page
    await log_in(page, street)
    await page.goto(f"{street.api.url}/account")
    await page.get_by_role("button", name="Choose a plan").click()
    await page.get_by_role("button", name="Choose Pro").click()
    await page.get_by_role("heading", name="Pro").wait_for()
    await street.card(GOOD, "Subscribe")
    await page.wait_for_url("**/account**")
    await expect(page.get_by_text("Thank you. Your plan is Pro now.")).to_be_visible(timeout=30_000)
    await expect(page.locator("#available")).to_have_text("15,500")
    await expect(page.locator("#invoice-rows tr")).to_have_count(1)
    assert "bought" not in page.url
    await page.screenshot(path=screenshots / "63-account-bought.png", full_page=True)

    await page.get_by_role("button", name="Change plan").click()
    await page.get_by_role("button", name="Choose Studio").click()
    question = page.get_by_role("dialog")
    await expect(question).to_contain_text("begins at once")
    await page.screenshot(path=screenshots / "64-change.png")
    await question.get_by_role("button", name="and change").click()
    await expect(page.locator("#plan-outcome")).to_have_text("Your plan is Studio now.")
    await expect(page.locator("#plan-name")).to_have_text("Studio", timeout=30_000)

    await page.get_by_role("button", name="Change plan").click()
    await page.get_by_role("button", name="Choose Starter").click()
    await expect(question).to_contain_text("Nothing is charged today")
    await question.get_by_role("button", name="Change on").click()
    await expect(page.locator("#plan-terms")).to_contain_text("Starter", timeout=30_000)
    await page.get_by_role("button", name="Keep Studio").click()
    await expect(page.locator("#plan-outcome")).to_have_text("Your plan goes on as before.")
    await expect(page.get_by_role("button", name="Keep Studio")).to_be_hidden(timeout=30_000)

    await page.get_by_role("button", name="Cancel plan").click()
    await expect(question.get_by_role("button", name="Back")).to_be_focused()
    await question.get_by_role("button", name="Cancel plan").click()
    await expect(page.locator("#plan-terms")).to_contain_text("Ends", timeout=30_000)
    await expect(page.get_by_role("button", name="Keep Studio")).to_be_visible()


async def test_a_pack_is_bought(street: Street) -> None:
    page = street.page
    await log_in(page, street)
    await page.goto(f"{street.api.url}/account")
    await page.get_by_role("button", name="Buy 1,000 credits").click()
    await street.card(GOOD, "Pay")
    await page.wait_for_url("**/account**")
    await expect(page.get_by_text("Thank you. Your credits are here.")).to_be_visible(timeout=30_000)
    await expect(page.locator("#available")).to_have_text("1,500")
    await expect(page.locator("#history-rows tr")).to_have_count(2)


async def test_from_the_prices_to_a_plan(street: Street, chromium: Browser, screenshots: Path) -> None:
    """A stranger chooses a plan by the year, signs up, pays, and has it."""
    person = await visitor(street, chromium, screenshots, "desktop", "en")
    page = person.page
    await person.open("/pricing")
    await page.get_by_label("Year").check()
    await page.get_by_role("link", name="Choose Starter").click()
    await expect(page.get_by_text("You chose Starter, $250 a year.")).to_be_visible()
    await page.get_by_label("E-mail").fill(f"{uuid4().hex[:8]}@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await page.get_by_label("Card number").wait_for()
    await page.get_by_label("Card number").fill(GOOD)
    await page.get_by_label("Expires (MM / YY)").fill("12 / 40")
    await page.get_by_label("Security code").fill("123")
    await page.get_by_role("button", name="Subscribe").click()
    await expect(page.get_by_text("Thank you. Your plan is Starter now.")).to_be_visible(timeout=30_000)
    await expect(page.locator("#plan-terms")).to_contain_text("$250")
    await person.open("/pricing")
    await expect(page.locator(".offer[data-plan=starter] .yours")).to_have_text("Your plan")
    await page.get_by_role("link", name="Choose Pro").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Pro")
    assert [text for text in person.complaints if street.api.url in text] == []


async def test_a_language_is_chosen_for_pages_and_account(
    street: Street, chromium: Browser, screenshots: Path
) -> None:
    person = await visitor(street, chromium, screenshots, "desktop", "en")
    page = person.page
    await log_in(page, street)
    await person.open("/account")
    await page.get_by_role("link", name="한국어").click()
    await expect(page.get_by_role("heading", name="내 계정")).to_be_visible()
    await person.open("/pricing")
    await expect(page.locator("html")).to_have_attribute("lang", "ko")
    other = await visitor(street, chromium, screenshots, "desktop", "en")  # another browser of hers
    await log_in(other.page, street)
    await other.open("/account")
    await expect(other.page.get_by_role("heading", name="내 계정")).to_be_visible()


async def test_a_password_is_changed(street: Street, chromium: Browser, screenshots: Path) -> None:
    person = await visitor(street, chromium, screenshots, "phone", "en")
    page = person.page
    await log_in(page, street)
    await person.open("/account")
    await page.get_by_text("Change password").click()
    await page.get_by_label("Current password").fill("Not-the-one-1")
    await page.get_by_label("New password").fill("Another-horse-8")
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_label("Current password")).to_be_focused()
    await expect(page.get_by_label("Current password")).to_have_accessible_description(
        "The current password is not right."
    )
    await page.get_by_label("Current password").fill(PASSWORD)
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.locator("#password-outcome")).to_contain_text("Your password has been changed.")


async def test_who_is_logged_in_goes_on_to_the_studio(
    street: Street, chromium: Browser, screenshots: Path
) -> None:
    person = await visitor(street, chromium, screenshots, "desktop", "en")
    await log_in(person.page, street)
    await person.page.goto(f"{street.api.url}/", wait_until="commit")
    await person.page.wait_for_url("**/app")
    await person.open("/welcome")
    await expect(person.page.get_by_role("link", name="Open the studio").first).to_be_visible()
    await expect(person.page.get_by_role("link", name="Start free trial")).to_have_count(0)


@pytest.mark.parametrize(
    ("change", "said", "button"),
    [
        (
            "UPDATE user_subscriptions SET status = 'past_due' WHERE user_id = %s",
            "payment failed",
            "Change the card",
        ),
        (
            "UPDATE user_subscriptions SET current_period_end = now() + interval '1 day' WHERE user_id = %s",
            "Your trial goes on until",
            "Choose a plan",
        ),
        (
            "UPDATE user_subscriptions SET status = 'expired' WHERE user_id = %s",
            "Nothing new is made",
            "Choose a plan",
        ),
    ],
)
async def test_the_account_says_what_to_do_next(
    street: Street, database: TestDatabase, change: str, said: str, button: str
) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute(change, [street.ada.user_id])
    await log_in(street.page, street)
    await street.page.goto(f"{street.api.url}/account")
    notice = street.page.locator(".notice")
    await expect(notice).to_contain_text(said)
    await expect(notice.get_by_role("button", name=button)).to_be_visible()
