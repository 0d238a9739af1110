"""Sign-up and account as people meet them: by keyboard, with mistakes, on a phone."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.apps import PASSWORD
from tests.browser.conftest import Deployment
from tests.browser.people import PHONE, Visitor


async def test_sign_up_shows_each_mistake_beside_its_field(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    first = await Visitor.arrive(chromium, deployment.url, screenshots)
    taken = await first.move_in("First")
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.open("/signup")
    email, password = ada.page.get_by_label("E-mail"), ada.page.get_by_label("Password")
    send = ada.page.get_by_role("button", name="Create account")

    await send.click()
    await expect(email).to_be_focused()
    await expect(email).to_have_accessible_description("Enter your e-mail address.")
    await email.fill("ada@example.com")
    await password.fill("short")
    await expect(ada.page.locator(".rules .met")).to_have_text(["a lower-case letter"])
    await send.click()
    await expect(password).to_be_focused()
    await expect(password).to_have_attribute("aria-invalid", "true")
    await expect(email).not_to_have_attribute("aria-invalid", "true")
    await ada.look("12-sign-up-mistakes")

    await password.fill(PASSWORD)
    for address, complaint in (("not an address", "@-sign"), (taken, "Log in instead")):
        await email.fill(address)
        await send.click()
        await expect(ada.page.locator("#email-error")).to_contain_text(complaint)
        await expect(email).to_have_attribute("aria-invalid", "true")
    assert ada.page.url.endswith("/signup")


async def test_sign_up_by_keyboard_alone_on_a_phone(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots, PHONE)
    await ada.open("/signup")
    keyboard = ada.page.keyboard
    for text in (f"keys-{id(ada)}@example.com", PASSWORD, "Ada"):
        await keyboard.press("Tab")
        await keyboard.type(text)
    await ada.look("13-sign-up-phone")
    await keyboard.press("Enter")
    await ada.page.wait_for_url("**/app")


async def test_the_account_fits_a_phone(deployment: Deployment, chromium: Browser, screenshots: Path) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots, PHONE)
    await ada.move_in("Ada")
    ada.complaints.clear()
    await ada.open("/account")
    await expect(ada.page.locator("#available")).to_have_text("500")
    assert await ada.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await ada.look("14-account-phone")
    assert ada.complaints == []  # in particular, nothing that our own policy forbids
    await ada.page.get_by_role("link", name="Back to the studio").click()
    await ada.page.wait_for_url("**/app")
