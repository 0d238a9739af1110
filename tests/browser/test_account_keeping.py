"""API keys, an export and the end of an account, as customers see them on their account page."""

from __future__ import annotations

from pathlib import Path

import psycopg
from playwright.async_api import Browser, expect

from tests.apps import PASSWORD
from tests.browser.street import Street
from tests.browser.test_account import assert_fits, log_in, visitor
from tests.servers import TestDatabase


async def test_a_key_is_made_shown_once_and_revoked(
    street: Street, database: TestDatabase, chromium: Browser, screenshots: Path
) -> None:
    person = await visitor(street, chromium, screenshots, "phone", "en")
    page = person.page
    await log_in(page, street)
    await person.open("/account")
    await expect(page.locator("#keys-refused")).to_contain_text("Your plan does not include API keys.")
    await expect(page.get_by_role("button", name="Create key")).to_be_hidden()
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET api_access = true WHERE slug = 'trial'")
    await page.reload()
    await page.get_by_role("button", name="Create key").click()
    name = page.locator("#key-name")
    await expect(name).to_be_focused()
    await expect(name).to_have_accessible_description(
        "What uses it, such as “night batch”. Give the key a name."
    )
    await name.fill("night batch")
    await page.get_by_role("button", name="Create key").click()
    await expect(page.locator("#key-new")).to_be_focused()
    key = await page.locator("#key-secret").inner_text()
    await expect(page.locator("#key-rows tr")).to_have_count(1)
    await expect(page.locator("#key-rows")).to_contain_text(key[:8])
    await assert_fits(page)
    await page.locator("#keys").screenshot(path=screenshots / "65-keys-phone.png")
    bearer = {"authorization": f"Bearer {key}"}
    assert (await street.api.nobody().get("/api/v1/account/summary", headers=bearer)).status_code == 200

    await page.reload()
    await expect(page.locator("#key-rows tr")).to_have_count(1)
    assert key not in await page.content()
    await page.get_by_role("button", name="Revoke night batch").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(page.locator("#keys-outcome")).to_have_text("night batch has been revoked.")
    await expect(page.locator("#keys-none")).to_be_visible()
    assert (await street.api.nobody().get("/api/v1/account/summary", headers=bearer)).status_code == 401


async def test_an_export_is_asked_for_and_fetched(
    street: Street, chromium: Browser, screenshots: Path
) -> None:
    person = await visitor(street, chromium, screenshots, "desktop", "en")
    page = person.page
    await log_in(page, street)
    await person.open("/account")
    await page.get_by_role("button", name="Make an export").click()
    await expect(page.locator("#exports-outcome")).to_contain_text("is being made")
    link = page.get_by_role("link", name="Download the export")
    await link.wait_for(timeout=60_000)
    await page.locator("#data").screenshot(path=screenshots / "66-data.png")
    async with page.expect_download() as downloading:
        await link.click()
    assert (await (await downloading.value).path()).stat().st_size > 0


async def test_an_account_is_to_be_deleted_and_stays(
    street: Street, chromium: Browser, screenshots: Path
) -> None:
    person = await visitor(street, chromium, screenshots, "phone", "ko")
    await street.ada.put("/api/v1/account/language", json={"language": "ko"})
    page = person.page
    await log_in(page, street)
    await person.open("/account")
    await page.get_by_role("button", name="계정 삭제").click()
    question = page.get_by_role("dialog")
    password = question.get_by_label("본인 확인을 위한 비밀번호")
    await expect(password).to_be_focused()
    for typed, said in (
        ("", "비밀번호를 입력해 주세요."),
        ("Wrong-pass-1", "현재 비밀번호가 맞지 않습니다."),
    ):
        await password.fill(typed)
        await page.keyboard.press("Enter")
        await expect(question.get_by_role("alert")).to_have_text(said)
        await expect(password).to_have_attribute("aria-invalid", "true")
    await page.screenshot(path=screenshots / "67-deletion-ko.png")
    await password.fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("#deletion-due")).to_contain_text("계정이 삭제됩니다")
    await page.get_by_role("button", name="계정 유지").click()
    await expect(page.locator("#deletion-outcome")).to_have_text("계정이 유지됩니다.")
    await expect(page.get_by_role("button", name="계정 삭제")).to_be_visible()
