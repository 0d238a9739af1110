"""Models of one's own on the account page: installed from a site of these tests', listed, deleted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from invokeai_saas.settings import Settings
from tests.browser.street import Street
from tests.browser.test_account import assert_fits, log_in, visitor
from tests.catalog.installs.crew import Crew, installing_from, open_crew
from tests.catalog.installs.sources import Site, safetensors, serving, slow
from tests.catalog.people import add_model, set_plan
from tests.servers import TestDatabase

LARGE = safetensors({"lora_unet_down.lora_up.weight": bytes(3 * 2**20)})


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture
def settings(settings: Settings, site: Site) -> Settings:
    return installing_from(site, settings)


@asynccontextmanager
async def working(crew: Crew) -> AsyncIterator[None]:
    """What is taken on is worked on, as by a scheduler and a worker."""

    async def work() -> None:
        while True:
            crew.downloads.look()
            await asyncio.to_thread(crew.identifier.work_once)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()


async def _account(street: Street, chromium: Browser, shots: Path, size: str, language: str) -> Page:
    person = await visitor(street, chromium, shots, size, language)
    await log_in(person.page, street)
    await person.open("/account")
    await person.page.locator("#models").wait_for()
    return person.page


async def test_a_model_is_installed_listed_and_deleted(
    street: Street,
    settings: Settings,
    site: Site,
    database: TestDatabase,
    chromium: Browser,
    screenshots: Path,
) -> None:
    set_plan(database, street.ada, "enterprise")
    gate = threading.Event()
    site.files["/dl/1/flowers.safetensors"] = slow(LARGE, gate)
    page = await _account(street, chromium, screenshots, "desktop", "en")
    await expect(page.locator("#models-none")).to_be_visible()
    install = page.get_by_role("button", name="Install", exact=True)
    await install.click()
    source = page.get_by_label("Where it is")
    await expect(source).to_be_focused()
    await expect(page.locator("#install-source-error")).to_have_text("Say where the model is.")
    await source.fill("/etc/passwd")
    await install.click()
    await expect(page.locator("#install-source-error")).to_contain_text("Name a repository")

    with open_crew(settings) as crew:
        async with working(crew):
            await source.fill(f"{site.url}/dl/1/flowers.safetensors")
            await page.get_by_label("Name, if not the file’s").fill("Flowers")
            await install.click()
            await expect(page.locator("#models-outcome")).to_contain_text("It is being fetched")
            await expect(source).to_have_value("")
            under_way = page.locator("#install-rows tr")
            await expect(under_way).to_contain_text("Flowers")
            await expect(under_way).to_contain_text("Fetching – ")
            await expect(page.get_by_role("button", name="Cancel Flowers")).to_be_visible()
            await page.locator("#models").screenshot(path=screenshots / "68-models-under-way.png")
            gate.set()
            await expect(under_way).to_contain_text("Installed")
            await expect(page.locator("#models-outcome")).to_have_text("Flowers: Installed")
    models = page.locator("#model-rows tr")
    await expect(models).to_have_count(1)
    await expect(models).to_contain_text("Flowers")
    await expect(models).to_contain_text("LoRA")
    await page.locator("#models").screenshot(path=screenshots / "69-models.png")
    await page.get_by_role("button", name="Clear the list").click()
    await expect(page.locator("#installs")).to_be_hidden()

    await page.get_by_role("button", name="Delete Flowers").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.locator("#models-outcome")).to_have_text("Flowers has been deleted.")
    await expect(page.locator("#models-title")).to_be_focused()
    await expect(page.locator("#models-none")).to_be_visible()
    assert (await street.ada.get("/api/v2/models/")).json() == {"models": []}


async def test_one_of_several_files_is_chosen_and_a_failure_is_told(
    street: Street,
    settings: Settings,
    site: Site,
    database: TestDatabase,
    chromium: Browser,
    screenshots: Path,
) -> None:
    set_plan(database, street.ada, "enterprise")
    site.repository("ada/loras", {"a.safetensors": safetensors(), "b.safetensors": b"not what it says"})
    await street.ada.put("/api/v1/account/language", json={"language": "ko"})
    page = await _account(street, chromium, screenshots, "phone", "ko")
    install = page.get_by_role("button", name="설치", exact=True)
    where = page.get_by_label("모델 위치")
    await where.fill("ada/none")
    await install.click()
    await expect(page.locator("#install-source-error")).to_have_text("그곳에서 모델을 가져올 수 없습니다.")
    await where.fill(
        f"{site.url}/dl/1/100%.safetensors"
    )  # nothing that an address may say keeps the lists away
    await install.click()
    await expect(where).to_have_value("")
    await page.reload()
    await expect(page.locator("#install-rows tr")).to_contain_text("100%.safetensors")
    await page.get_by_role("button", name="100%.safetensors 취소").press("Enter")
    await expect(page.locator("#install-rows tr")).to_contain_text("취소됨")
    await page.get_by_role("button", name="목록 비우기").press("Enter")
    await expect(page.locator("#installs")).to_be_hidden()
    await expect(page.locator("#models-title")).to_be_focused()
    await where.fill("ada/loras")
    await install.click()
    await expect(page.locator("#models-outcome")).to_contain_text("하나를 선택해 주세요")
    choice = page.get_by_label("파일", exact=True)
    await expect(choice).to_be_focused()
    await choice.select_option(label="b.safetensors")
    await assert_fits(page)
    await page.locator("#models").screenshot(path=screenshots / "70-models-choice-ko.png")
    await install.click()
    await expect(choice).to_be_hidden()
    with open_crew(settings) as crew:
        async with working(crew):
            failed = page.locator("#install-rows tr")
            await expect(failed).to_contain_text("실패")
            await expect(page.get_by_role("button", name="b.safetensors 다시 시도")).to_be_visible()
    await assert_fits(page)
    await page.locator("#models").screenshot(path=screenshots / "71-models-failed-ko.png")


async def test_a_plan_without_them_says_so_and_lets_old_ones_be_deleted(
    street: Street, database: TestDatabase, chromium: Browser, screenshots: Path
) -> None:
    add_model(database, street.ada.user_id, "Old flowers", file_size=2**27)
    page = await _account(street, chromium, screenshots, "phone", "en")
    await expect(page.locator("#models-refused")).to_contain_text("Your plan does not include models")
    await expect(page.locator("#install-form")).to_be_hidden()
    await expect(page.locator("#model-rows")).to_contain_text("128 MB")
    await assert_fits(page)
    await page.locator("#models").screenshot(path=screenshots / "72-models-not-in-plan.png")
    await page.get_by_role("button", name="Delete Old flowers").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.locator("#models-none")).to_be_visible()
