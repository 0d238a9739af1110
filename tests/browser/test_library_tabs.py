"""The workflow library and the prompt templates, for two people at once: InvokeAI's for both, and each one's own."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from playwright.async_api import Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from invokeai_saas.storage.objects import open_object_store
from invokeai_saas.studio.shipped import Shipped, publish_pictures
from tests.browser.conftest import Deployment
from tests.browser.people import Visitor
from tests.browser.studio import Workflows
from tests.browser.test_tabs import both


@pytest.fixture(scope="module", autouse=True)
def published(deployment: Deployment) -> None:
    """The pictures of InvokeAI's templates, where `invokeai-saas up` puts them when it starts."""
    settings = deployment.settings
    asyncio.run(publish_pictures(Shipped(settings.library_dir), open_object_store(settings)))


async def _choose_model(page: Page, name: str) -> None:
    """In the form of a workflow that has just been loaded: the page takes the focus away once while it settles."""
    option = page.locator("[id*='-option-']").filter(has_text=name).first
    for _ in range(6):
        await page.locator("input[role=combobox]").first.fill(name)
        with suppress(PlaywrightTimeout):
            await option.click(timeout=5_000)
            break
    await expect(page.get_by_text("Select a Model")).to_have_count(0)


async def test_a_workflow_of_invokeais_run_and_kept(ada: Visitor, bob: Visitor) -> None:
    async def work(person: Visitor, name: str) -> None:
        page, workflows = person.page, Workflows(person)
        library = await workflows.open_library("Browse Workflows")
        await library.get_by_text("Text to Image - SD1.5", exact=True).click()
        await page.get_by_role("button", name="Load", exact=True).click()
        await library.wait_for(state="hidden")  # it has lists to choose from as well
        await _choose_model(page, "Starter")
        await person.invoke()
        await expect(person.pictures).to_have_count(1)
        await workflows.save_as(f"{name}'s workflow")
        await person.look(f"40-default-workflow-{name}")

    await both(ada, bob, work)
    for person, own, other in ((ada, "Ada", "Bob"), (bob, "Bob", "Ada")):
        await person.page.reload()
        await person.page.get_by_test_id("Workflows").wait_for()
        await person.page.get_by_text("Launchpad", exact=True).click()
        library = await Workflows(person).open_library("Your Workflows")
        await expect(library.get_by_text(f"{own}'s workflow")).to_be_visible()
        await expect(library.get_by_text(f"{other}'s workflow")).to_have_count(0)
        await person.look(f"41-library-{own}")
        person.assert_content()


async def test_prompt_templates(ada: Visitor, bob: Visitor) -> None:
    async def work(person: Visitor, name: str) -> None:
        page = person.page
        await page.get_by_text("Choose Prompt Template").click()
        await expect(page.get_by_text("Concept Art (Fantasy)", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Create Prompt Template").click()
        dialog = page.get_by_role("dialog").filter(has_text="Create Prompt Template")
        await dialog.locator("input[name=name]").fill(f"{name}'s template")
        await dialog.get_by_role("textbox").nth(1).fill("{prompt}, on white")
        await dialog.get_by_role("button", name="Save").click()
        await dialog.wait_for(state="hidden")
        await page.get_by_text(f"{name}'s template", exact=True).click()
        await person.look(f"42-template-{name}")
        await person.invoke("a red heart")
        await expect(person.pictures).to_have_count(1)

    await both(ada, bob, work)
    for person, other in ((ada, "Bob"), (bob, "Ada")):
        await expect(person.page.get_by_text(f"{other}'s template")).to_have_count(0)
