"""Boards in the page, for two people at once: downloaded whole, and deleted with and without what is on them."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.async_api import expect

from tests.browser.people import Visitor
from tests.browser.studio import Gallery
from tests.browser.test_tabs import at_once, both
from tests.gallery.files import encoded, picture

PICTURES = {"Ada": 2, "Bob": 3}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(max(PICTURES.values()))]
    for number, path in enumerate(paths):
        path.write_bytes(encoded(picture(size=(300, 200 + number))))
    return paths


async def _fill(person: Visitor, board: str, files: list[Path]) -> set[str]:
    """A board with these pictures; answers their names."""
    gallery = Gallery(person)
    await gallery.add_board(board)
    await person.page.get_by_test_id("assets-tab").click()
    for count, file in enumerate(files, start=1):
        await gallery.upload(file)
        await expect(person.pictures).to_have_count(count)
    return {str(await tile.get_attribute("data-item-id")) for tile in await person.pictures.all()}


async def test_a_board_is_downloaded(ada: Visitor, bob: Visitor, files: list[Path]) -> None:
    async def work(person: Visitor, name: str) -> None:
        names = await _fill(person, f"{name}'s board", files[: PICTURES[name]])
        await Gallery(person).board_menu(f"{name}'s board", "Download Board Images")
        link = person.page.get_by_text("Click here to download")
        await link.wait_for()
        await person.look(f"51-download-{name}")
        async with person.page.expect_download() as saving:
            await link.click()
        with ZipFile(await (await saving.value).path()) as archive:
            assert archive.testzip() is None
            assert {Path(kept).name for kept in archive.namelist()} == names

    await both(ada, bob, work)


async def _expect_asset_on_no_board(person: Visitor, name: str) -> None:
    """Counted in the list of boards, and shown once asked for: after deleting a board the page shows pictures."""
    gallery = Gallery(person)
    await expect(gallery.count("Uncategorized")).to_have_text("0 | 1")
    await gallery.board("Uncategorized").click()
    await person.page.get_by_test_id("assets-tab").click()
    await expect(person.pictures).to_have_count(1)
    assert await person.pictures.get_attribute("data-item-id") == name


async def test_a_board_is_deleted_with_and_without_its_pictures(
    ada: Visitor, bob: Visitor, files: list[Path]
) -> None:
    async def work(person: Visitor, name: str) -> None:
        gallery = Gallery(person)
        (kept,) = await _fill(person, "To be emptied", files[:1])
        await gallery.delete_board("To be emptied", "Delete Board Only")
        await _expect_asset_on_no_board(person, kept)
        await _fill(person, "To be thrown away", files[: PICTURES[name]])
        await gallery.delete_board("To be thrown away", "Delete Board, Images & Videos")
        await _expect_asset_on_no_board(person, kept)
        await person.page.reload()
        await _expect_asset_on_no_board(person, kept)
        await person.look(f"52-boards-deleted-{name}")

    await at_once(
        ada, bob, work
    )  # not `both`: the page asks for what it has just deleted, and that is refused
