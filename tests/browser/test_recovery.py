"""A forgotten password and an address to confirm, from the mail to the page, in both languages."""

from __future__ import annotations

import asyncio
from pathlib import Path

from playwright.async_api import Browser, expect

from invokeai_saas.mail.sending import Mailer
from tests.apps import PASSWORD
from tests.browser.conftest import Deployment
from tests.browser.people import PATIENCE, PHONE, Visitor
from tests.mail.box import Mailbox

NEW_PASSWORD = "Another-horse-8"


async def _link(deployment: Deployment, email: str, page: str) -> str:
    """Sends what is due; answers the path of the newest link to a page in somebody's mail."""
    mailer = Mailer(deployment.settings)
    await asyncio.to_thread(mailer.send_due)
    mailer.close()
    box = Mailbox(deployment.database, deployment.settings.data_dir / "mail")
    [link] = [link for link in box.links(page, email) if link.startswith(f"{deployment.url}/{page}")]
    return link.removeprefix(deployment.url)


async def _fits(person: Visitor) -> bool:
    return bool(await person.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


async def test_a_forgotten_password_by_keyboard_alone(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    newcomer = await Visitor.arrive(chromium, deployment.url, screenshots)
    await newcomer.open("/signup")
    email = await newcomer.sign_up("Ada")
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)  # on another day, in another browser
    await ada.open("/login")
    await ada.page.get_by_role("link", name="Forgot your password?").wait_for()
    await ada.look("40-log-in")
    await ada.page.get_by_role("link", name="Forgot your password?").click()
    await ada.page.wait_for_url("**/forgot-password")  # its script as well

    keyboard = ada.page.keyboard
    field = ada.page.get_by_label("E-mail")
    await ada.page.get_by_role("button", name="Send the link").press("Enter")
    await expect(field).to_be_focused()
    await expect(field).to_have_accessible_description("Enter your e-mail address.")
    await keyboard.type(email)
    await ada.look("41-forgot-password")
    await keyboard.press("Enter")
    await expect(ada.page.get_by_role("status")).to_be_focused()
    await expect(ada.page.get_by_role("status")).to_contain_text("If there is an account")
    await ada.look("42-forgot-password-sent")

    link = await _link(deployment, email, "reset-password")
    await ada.open(link)
    password = ada.page.get_by_label("New password")
    await password.focus()
    await keyboard.type("short")
    await keyboard.press("Enter")
    await expect(password).to_have_attribute("aria-invalid", "true")
    await expect(password).to_be_focused()
    await ada.look("43-reset-password-weak")
    await password.fill("")
    await keyboard.type(NEW_PASSWORD)
    await keyboard.press("Enter")
    await expect(ada.page.get_by_role("status")).to_contain_text("Your password has been changed.")
    await ada.look("44-reset-password-done")
    assert "#" not in ada.page.url
    secret = link.partition("#")[2]
    assert not [address for address in ada.asked if secret in address]

    await ada.page.get_by_role("link", name="Sign in", exact=True).click()
    await ada.page.get_by_label("Email", exact=False).fill(email)
    await ada.page.locator("input[type=password]").fill(NEW_PASSWORD)
    await keyboard.press("Enter")
    await ada.page.wait_for_url("**/app")

    await ada.page.evaluate("localStorage.clear()")
    await ada.open(link)
    await ada.page.get_by_label("New password").fill(PASSWORD)
    await keyboard.press("Enter")
    await expect(ada.page.get_by_role("status")).to_contain_text("used already")
    await ada.look("45-reset-password-used")
    await ada.page.get_by_role("link", name="Ask for a new link").click()
    await expect(ada.page.get_by_role("heading")).to_have_text("Forgot your password?")


async def test_an_address_is_confirmed_and_the_account_says_so(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    email = await ada.move_in("Ada")
    ada.forget()
    await ada.open("/account")
    await expect(ada.page.locator("#unconfirmed")).to_contain_text(email)
    await ada.page.get_by_role("button", name="Send the link again").click()
    await expect(ada.page.locator("#mail-outcome")).to_have_text("The mail is on its way.")
    await ada.look("46-account-unconfirmed")
    await ada.page.get_by_label("Language of these pages and of mails").select_option("한국어")
    await expect(ada.page.locator("html")).to_have_attribute("lang", "ko")
    await expect(ada.page.locator("#unconfirmed")).to_contain_text("링크를 보냈습니다")
    box = Mailbox(deployment.database, deployment.settings.data_dir / "mail")
    mailer = Mailer(deployment.settings)
    await asyncio.to_thread(mailer.send_due)
    mailer.close()
    links = box.links("verify-email", email)
    assert [link.partition("#")[0] for link in links] == [f"{deployment.url}/verify-email?lang=ko"] * 2
    await ada.open(links[0].removeprefix(deployment.url))
    await expect(ada.page.locator("#outcome-text")).to_have_text("이메일 주소가 확인되었습니다. 감사합니다.")
    await ada.look("47-verify-email-ko")
    await ada.open("/account")
    await expect(ada.page.get_by_label("페이지와 메일의 언어")).to_have_value("ko")
    await expect(ada.page.locator("#unconfirmed")).to_be_hidden()
    ada.assert_content()
    await ada.open(links[1].removeprefix(deployment.url))
    await expect(ada.page.locator("#outcome-text")).to_contain_text("기한이 지난 링크")
    await ada.look("48-verify-email-used-ko")


async def test_the_pages_fit_a_phone_in_korean(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    context = await chromium.new_context(
        viewport={"width": PHONE[0], "height": PHONE[1]}, locale="ko-KR", has_touch=True
    )
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    ada = Visitor(context, page, deployment.url, screenshots)
    await ada.open("/forgot-password")
    await expect(page.get_by_role("heading")).to_have_text("비밀번호를 잊으셨나요?")
    assert await page.evaluate("document.documentElement.lang") == "ko"
    assert await _fits(ada)
    await ada.look("49-forgot-password-phone-ko")
    await ada.open("/reset-password#not-a-link")
    await expect(page.get_by_label("새 비밀번호")).to_be_visible()
    assert await _fits(ada)
    await ada.look("50-reset-password-phone-ko")
    # The secret goes along to the other language's page.
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_label("New password")).to_be_visible()
    assert page.url.endswith("?lang=en#not-a-link")
    assert ada.complaints == []


async def test_a_mail_as_it_is_read(deployment: Deployment, chromium: Browser, screenshots: Path) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.open("/signup")
    email = await ada.sign_up("Ada")
    link = await _link(deployment, email, "verify-email")
    box = Mailbox(deployment.database, deployment.settings.data_dir / "mail")
    [mail] = [mail for mail in box.arrived() if mail["To"] == email]
    html = mail.get_body(("html",))
    assert html is not None
    for name, size in (("desktop", (800, 700)), ("phone", PHONE)):
        reader = await chromium.new_page(viewport={"width": size[0], "height": size[1]})
        await reader.set_content(html.get_content())
        button = reader.get_by_role("link", name="Confirm my address")
        assert (await button.get_attribute("href") or "").endswith(link)
        assert await reader.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await reader.screenshot(path=screenshots / f"51-mail-{name}.png")
