"""Every tab of InvokeAI's page, for two people at once: each does all of it and sees only their own.

Nothing may be refused on the way and no error logged, but for what InvokeAI's own server refuses, too
(`people.EXPECTED_REFUSALS`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import expect

from tests.browser.people import PATIENCE, STARTER, Visitor
from tests.browser.studio import Canvas, Gallery, Queue, Workflows

PROMPTS = {"Ada": "a red heart", "Bob": "a blue circle"}


async def at_once(
    ada: Visitor, bob: Visitor, does: Callable[[Visitor, str], Coroutine[Any, Any, None]]
) -> None:
    """Both do it at the same time."""
    async with asyncio.TaskGroup() as group:
        group.create_task(does(ada, "Ada"))
        group.create_task(does(bob, "Bob"))


async def both(ada: Visitor, bob: Visitor, does: Callable[[Visitor, str], Coroutine[Any, Any, None]]) -> None:
    """Both do it at the same time, and neither has a complaint."""
    await at_once(ada, bob, does)
    ada.assert_content()
    bob.assert_content()


async def _names(person: Visitor) -> set[str]:
    """Of the pictures that somebody has before them."""
    return {str(await tile.get_attribute("data-item-id")) for tile in await person.pictures.all()}


def _assert_unseen(names: set[str], by: Visitor) -> None:
    assert names
    assert not [url for url in by.asked if any(name in url for name in names)]


async def test_generating_and_the_queue(ada: Visitor, bob: Visitor) -> None:
    seen: dict[str, set[str]] = {}

    async def work(person: Visitor, name: str) -> None:
        await person.invoke(PROMPTS[name])
        await expect(person.pictures).to_have_count(1)
        seen[name] = await _names(person)
        await expect(person.page.get_by_role("button", name="Cancel", exact=True)).to_be_disabled(
            timeout=PATIENCE
        )
        await person.page.get_by_role("button", name="Invoke").first.click(click_count=8)
        await person.go_to("Queue")
        queue = Queue(person)
        await expect(queue.items).to_have_count(9)
        await expect(queue.items.filter(has_text=PROMPTS[name])).to_have_count(9)
        waiting = queue.items.filter(has_text="pending").first
        await waiting.get_by_role("button", name="Cancel Item").click()
        canceled = queue.items.filter(has_text="canceled")
        await expect(canceled).to_have_count(1)
        await canceled.get_by_role("button", name="Retry Item").click()
        await expect(queue.items).to_have_count(10)
        await person.look(f"30-queue-{name}")
        await queue.confirm("Clear")
        # What was running is stopped and may stay in the list as canceled; the others are gone.
        await expect(queue.items.filter(has_text="progress")).to_have_count(0)
        await expect(queue.items.filter(has_text="pending")).to_have_count(0)

    await both(ada, bob, work)
    _assert_unseen(seen["Ada"], by=bob)
    _assert_unseen(seen["Bob"], by=ada)


async def test_the_canvas(ada: Visitor, bob: Visitor) -> None:
    """A layer and a mask are drawn, uploaded, and painted over by a job whose result becomes a layer."""

    async def work(person: Visitor, name: str) -> None:
        canvas = Canvas(person)
        await canvas.open()
        await canvas.expect_box(STARTER["default_settings"]["width"])
        await canvas.draw_layer()
        await canvas.draw_mask()
        await person.invoke(PROMPTS[name])
        await canvas.accept()
        await canvas.expect_layers(2)
        await person.look(f"31-canvas-{name}")

    await both(ada, bob, work)
    for person in (ada, bob):
        uploads = [url for url in person.asked if "/images/upload" in url]
        assert len(uploads) == 2  # layer and mask


async def test_upscaling_says_which_models_it_misses(ada: Visitor, bob: Visitor) -> None:
    async def work(person: Visitor, name: str) -> None:
        await person.invoke(PROMPTS[name])
        await expect(person.pictures).to_have_count(1)
        await Gallery(person).menu(person.pictures.first, "Send To Upscale")
        missing = person.page.get_by_text("install the required models")
        await expect(missing).to_be_visible()
        await expect(person.page.get_by_text("Upscale (image to image) model")).to_be_visible()
        await expect(person.page.get_by_role("button", name="Invoke").first).to_be_disabled()
        await person.look(f"32-upscaling-{name}")

    await both(ada, bob, work)


async def test_a_workflow_of_ones_own(ada: Visitor, bob: Visitor) -> None:
    """Built in the editor, run, and its answers shown at its nodes."""

    async def work(person: Visitor, name: str) -> None:
        workflows = Workflows(person)
        await workflows.new()
        node = await workflows.add_node("Add Integers")
        for place, value in enumerate((40, 2)):
            await node.get_by_role("spinbutton").nth(place).fill(str(value))
        await node.get_by_text("Add Integers").click()
        await person.invoke()
        await person.page.get_by_role("tab", name="Outputs").click()
        outputs = person.page.get_by_role("tabpanel").filter(visible=True).filter(has_text="integer_output")
        await expect(outputs).to_contain_text("42")
        await person.look(f"33-workflow-{name}")

    await both(ada, bob, work)


async def test_models_menus_and_leaving(ada: Visitor, bob: Visitor) -> None:
    async def work(person: Visitor, name: str) -> None:
        page = person.page
        await person.go_to("Models")
        await page.get_by_text("Starter", exact=True).first.click()
        await expect(page.get_by_text("models/shared/starter/weights", exact=True)).to_be_visible(
            timeout=PATIENCE
        )
        await person.look(f"34-models-{name}")
        for item, text in (("Settings", "Confirm On Delete"), ("Hotkeys", "Queue a generation")):
            await page.get_by_role("button", name="Menu", exact=True).click()
            await person.choose(item)
            dialog = page.get_by_role("dialog").filter(has_text=text)
            await expect(dialog).to_be_visible()
            await person.look(f"35-{item.lower()}-{name}")
            await dialog.get_by_role("button", name="Close", exact=True).click()
            await dialog.wait_for(state="hidden")
        await page.get_by_role("button", name="User Menu").click()
        await person.choose("My Profile")
        shown_name = page.get_by_label("Display Name")
        await expect(shown_name).to_have_value(name)
        await shown_name.fill(f"{name} the Great")
        await page.get_by_role("button", name="Save").click()
        await person.prompt.or_(page.get_by_text("Model Manager")).first.wait_for()
        await person.go_to("Generate")
        await page.get_by_role("button", name="User Menu").click()
        await expect(page.get_by_text(f"{name} the Great")).to_be_visible()
        await person.look(f"36-user-{name}")
        person.assert_content()
        await person.choose("Logout")
        await page.wait_for_url("**/login")

    await at_once(ada, bob, work)  # what the page asks for from here on is nobody's


async def test_the_gallery(ada: Visitor, bob: Visitor, tmp_path: Path) -> None:
    files: dict[str, Path] = {}
    seen: dict[str, set[str]] = {}
    for name in PROMPTS:
        files[name] = tmp_path / f"{name}.png"
        Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(files[name])

    async def work(person: Visitor, name: str) -> None:
        page, gallery = person.page, Gallery(person)
        await gallery.add_board(f"{name}'s board")
        await page.get_by_test_id("assets-tab").click()
        await gallery.upload(files[name])
        await expect(person.pictures).to_have_count(1)
        await gallery.menu(person.pictures.first, "Star")
        await gallery.board("Uncategorized").click()
        await expect(person.pictures).to_have_count(0)
        await gallery.upload(files[name])
        await gallery.upload(files[name])
        await expect(person.pictures).to_have_count(2)
        await gallery.move(person.pictures.first, f"{name}'s board")
        await expect(person.pictures).to_have_count(1)
        await gallery.board(f"{name}'s board").click()
        await expect(person.pictures).to_have_count(2)
        await person.look(f"37-gallery-{name}")
        seen[name] = await _names(person)
        await _find_in_gallery(person)
        await _throw_away(person, f"{name}'s board")

    await both(ada, bob, work)
    _assert_unseen(seen["Ada"], by=bob)
    _assert_unseen(seen["Bob"], by=ada)


async def _find_in_gallery(person: Visitor) -> None:
    """The search looks in what pictures say of themselves; uploads say nothing."""
    await person.page.get_by_role("button", name="Gallery Search").click()
    search = person.page.get_by_placeholder("Search", exact=False).filter(visible=True).first
    await search.fill("no such words")
    await expect(person.pictures).to_have_count(0)
    await search.fill("")
    await expect(person.pictures).to_have_count(2)


async def _throw_away(person: Visitor, board: str) -> None:
    """Two pictures at once, and then the board; it is archived first."""
    page, gallery = person.page, Gallery(person)
    await person.mark_both()
    await page.keyboard.press("Delete")
    question = page.get_by_role("alertdialog").filter(visible=True)
    await question.get_by_role("button", name="Delete").click()
    await expect(person.pictures).to_have_count(0)
    await gallery.board_menu(board, "Archive Board")
    await expect(gallery.board(board)).to_be_hidden()
