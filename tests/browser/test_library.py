"""The page's library: what InvokeAI ships, and what a person keeps."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from invokeai_saas.storage.objects import open_object_store
from invokeai_saas.studio.shipped import Shipped, publish_pictures
from tests.browser.conftest import Deployment
from tests.browser.people import PATIENCE, Visitor


async def test_a_copy_of_a_shipped_workflow_is_kept_and_is_nobody_elses(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    await ada.page.get_by_test_id("Workflows").click()
    await ada.page.get_by_role("button", name="Browse Workflow Templates").click()
    await ada.page.get_by_text("Text to Image - SD1.5", exact=True).click()
    await ada.page.get_by_role("button", name="Load", exact=True).click()
    await ada.page.get_by_role("button", name="Workflow Editor Menu").click()
    await ada.page.get_by_role("menuitem", name="Save Workflow As").click()
    dialog = ada.page.get_by_role("alertdialog")
    await dialog.get_by_role("textbox").fill("Mine from here on")
    await ada.look("14-workflow-save-as")
    await dialog.get_by_role("button", name="Save").click()
    await dialog.wait_for(state="hidden")
    await _open_own_workflows(ada)
    await expect(ada.page.get_by_role("dialog").get_by_text("Mine from here on")).to_be_visible(
        timeout=PATIENCE
    )
    await ada.look("15-workflow-library")
    assert ada.complaints == []
    bob = await Visitor.arrive(chromium, deployment.url, screenshots)
    await bob.move_in("Bob")
    await bob.page.get_by_test_id("Workflows").click()
    await _open_own_workflows(bob)
    await expect(bob.page.get_by_role("dialog").get_by_text("No workflows")).to_be_visible()
    assert await bob.page.get_by_text("Mine from here on").count() == 0


async def _open_own_workflows(visitor: Visitor) -> None:
    await (
        visitor.page.get_by_role("button", name="Mine from here on")
        .or_(visitor.page.get_by_role("button", name="Choose Workflow from Library"))
        .first.click()
    )
    await visitor.page.get_by_role("dialog").get_by_text("Your Workflows").click()


async def test_shipped_style_presets_show_their_pictures(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    shipped = Shipped(deployment.settings.library_dir)
    await publish_pictures(shipped, open_object_store(deployment.settings))
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    await ada.page.get_by_text("Choose Prompt Template").click()
    pictures = ada.page.locator("img[src*='/images/system/style_presets/']")
    await expect(pictures).to_have_count(len(shipped.presets))
    assert await ada.shown(pictures.first)
    await ada.look("16-style-presets")
    assert ada.complaints == []
