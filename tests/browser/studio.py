"""Where people work in the page: the canvas, the workflow editor, the gallery, the queue."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from playwright.async_api import Locator, TimeoutError, expect

from tests.browser.people import PATIENCE, Visitor


class Canvas:
    """The canvas tab: layers, masks, and what is staged over them."""

    def __init__(self, person: Visitor) -> None:
        self._person = person
        self._page = person.page

    async def open(self) -> None:
        """From the launchpad to an empty canvas."""
        await self._person.go_to("Canvas")
        await self._page.get_by_text("Canvas", exact=True).first.click()
        await self._page.get_by_role("button", name="Raster Layer", exact=True).wait_for()

    async def draw_layer(self) -> None:
        """A raster layer with a broad white patch in the middle."""
        await self._page.get_by_role("button", name="Raster Layer", exact=True).click()
        await self._page.get_by_role("button", name="Brush (B)").click()
        await self._strokes(width=240, offsets=(-60, -20, 20, 60))

    async def draw_mask(self) -> None:
        """An inpaint mask over the middle of that."""
        await self._page.get_by_test_id("control-layers-add-layer-menu-button").click()
        await self._person.choose("Inpaint Mask")
        await self._page.get_by_text("Inpaint Masks (1)").wait_for()
        await self._strokes(width=120, offsets=(-20, 20))

    async def expect_box(self, edge: int) -> None:
        """What stands over the canvas of its box, which is drawn at its own size."""
        await expect(self._page.get_by_text(f"{edge}×{edge} px")).to_be_visible()
        await expect(self._page.get_by_text("Scaled Bbox")).to_have_count(0)

    async def expect_layers(self, count: int) -> None:
        """What the layers' panel says."""
        await expect(self._page.get_by_text(f"Raster Layers ({count})")).to_be_visible()

    async def accept(self) -> None:
        """Takes what is staged as a layer."""
        await self._page.get_by_role("button", name="Accept (Enter)").click()
        await expect(self._page.get_by_role("button", name="Accept (Enter)")).to_be_hidden()

    async def _strokes(self, width: int, offsets: tuple[int, ...]) -> None:
        box = await self._page.get_by_test_id("control-layers-canvas").bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for offset in offsets:
            await self._page.mouse.move(x - width / 2, y + offset)
            await self._page.mouse.down()
            await self._page.mouse.move(x + width / 2, y + offset, steps=8)
            await self._page.mouse.up()


AT_REST = """() => {
    const places = [...document.querySelectorAll(".react-flow__viewport, .react-flow__node")];
    const [before, now] = [window.places, places.map((one) => one.style.transform).join()];
    window.places = now;
    return now === before;
}"""


class Workflows:
    """The workflow editor and the library."""

    def __init__(self, person: Visitor) -> None:
        self._person = person
        self._page = person.page
        self.library = self._page.get_by_role("dialog").filter(has_text="Workflow Library")

    async def new(self) -> None:
        """An empty workflow in the editor."""
        await self._person.go_to("Workflows")
        await self._page.get_by_role("button", name="Create a new Workflow Start").click()
        # A page that is new asks whether it shall throw its empty workflow away.
        await self._page.get_by_role("button", name="Load", exact=True).click()
        await self._page.get_by_role("button", name="Add Node").wait_for()

    async def add_node(self, title: str) -> Locator:
        """A node by its title, moved to where it covers no other."""
        await self._page.get_by_role("button", name="Add Node").click()
        search = self._page.get_by_placeholder("Search for nodes")
        dialog = self._page.get_by_role("dialog").filter(has=search)
        await search.fill(title)
        await dialog.get_by_text(title, exact=True).click()
        node = self._page.locator(".react-flow__node").filter(has_text=title)
        await node.wait_for()
        return node

    async def spread(self) -> None:
        """Lays the nodes out side by side, all of them in sight."""
        await self._page.get_by_role("button", name="Auto Layout").click()
        await self._page.get_by_role("button", name="Apply", exact=True).click()
        await self._page.keyboard.press("Escape")
        await self._page.get_by_role("button", name="Fit View").click()
        await self._page.wait_for_function(AT_REST, polling=400)  # edges are drawn from where nodes stand

    async def connect(self, source: Locator, output: str, target: Locator, field: str | None = None) -> None:
        """An edge, drawn from an output to an input: of the same name, unless another is given."""
        edges = self._page.locator(".react-flow__edge")
        before = await edges.count()
        start = source.locator(f".react-flow__handle.source[data-handleid={output}]")
        end = target.locator(f".react-flow__handle.target[data-handleid={field or output}]")
        await start.drag_to(end, force=True)
        await expect(edges).to_have_count(before + 1)

    async def save_as(self, name: str) -> None:
        await self._page.get_by_role("button", name="Workflow Editor Menu").first.click()
        await self._person.choose("Save Workflow As")
        dialog = self._page.get_by_role("alertdialog").filter(has_text="Workflow Name")
        await dialog.get_by_role("textbox").fill(name)
        await dialog.get_by_role("button", name="Save As").click()
        await dialog.wait_for(state="hidden")

    async def open_library(self, section: str) -> Locator:
        """The library's dialog, at one of its sections."""
        await self._person.go_to("Workflows")
        await self._page.get_by_role("button", name="Browse Workflow Templates").click()
        await self.library.get_by_role("button", name=section).click()
        return self.library


class Gallery:
    """Boards and pictures."""

    def __init__(self, person: Visitor) -> None:
        self._person = person
        self._page = person.page

    async def add_board(self, name: str) -> None:
        """A new board, which is then the chosen one."""
        await self._page.get_by_test_id("add-board-button").click()
        # The list is drawn anew when the board has come, which ends a renaming that has begun already.
        title = self.board("My Board")
        field = self._page.locator("input[value='My Board']")
        for _ in range(6):
            with suppress(TimeoutError):
                await title.dblclick(timeout=PATIENCE / 12)
                await field.fill(name, timeout=PATIENCE / 12)
                await self._page.keyboard.press("Enter")
                await self.board(name).wait_for(timeout=PATIENCE / 12)
                return
        await self.board(name).wait_for()

    def board(self, name: str) -> Locator:
        """Its title in the list. The gallery's head, a button, shows the chosen board's too, and folds it up."""
        titled = f'xpath=//*[normalize-space(text())="{name}"][not(ancestor-or-self::button)]'
        return self._page.locator(titled).first

    def count(self, board: str) -> Locator:
        """Of pictures and of assets on it, "1 | 2", as the list of boards says."""
        row = self.board(board).locator("xpath=..")
        return row.get_by_text(re.compile(r"^\d+ \| \d+$"))

    async def board_menu(self, name: str, item: str) -> None:
        await self._open_menu(self.board(name), item)
        await self._person.choose(item)

    async def delete_board(self, name: str, how: str) -> None:
        """By the board's menu and one of the buttons of the question that it asks."""
        await self.board_menu(name, "Delete Board")
        question = self._page.get_by_role("alertdialog").filter(visible=True)
        await question.get_by_role("button", name=how, exact=True).click()
        await question.wait_for(state="hidden")
        await expect(self._page.get_by_text(name, exact=True)).to_have_count(0)

    async def upload(self, file: Path) -> None:
        async with self._page.expect_file_chooser() as choosing:
            await self._page.get_by_role("button", name="Upload Media").click()
        await (await choosing.value).set_files(file)

    async def menu(self, picture: Locator, item: str) -> None:
        """An item of a picture's menu, by its words or, for the row of icons, its label."""
        await self._open_menu(picture, item)
        await self._person.choose(item)

    async def _open_menu(self, target: Locator, item: str) -> None:
        """By the right button; once more where the list was drawn anew in between, which closes menus."""
        await target.click(button="right")
        entry = self._page.get_by_role("menuitem", name=item, exact=True).filter(visible=True).first
        try:
            await entry.wait_for(timeout=PATIENCE / 12)
        except TimeoutError:
            await self._page.keyboard.press("Escape")
            await target.click(button="right")
            await entry.wait_for()

    async def move(self, picture: Locator, board: str) -> None:
        """By the picture's menu."""
        await self.menu(picture, "Change Board")
        dialog = self._page.get_by_role("alertdialog").filter(has_text="to board")
        await dialog.get_by_role("combobox").fill(board)
        await self._page.keyboard.press("Enter")
        await dialog.get_by_role("button", name="Move").click()
        await dialog.wait_for(state="hidden")


class Queue:
    """The queue tab."""

    def __init__(self, person: Visitor) -> None:
        self._page = person.page
        self.items = self._page.get_by_test_id("queue-item")

    async def confirm(self, button: str) -> None:
        """Presses a button of the tab and then that of the question that it asks."""
        await self._page.get_by_role("button", name=button, exact=True).first.click()
        dialog = self._page.get_by_role("alertdialog").filter(visible=True)
        await dialog.get_by_role("button", name=button, exact=True).click()
        await dialog.wait_for(state="hidden")
