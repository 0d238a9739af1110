"""Pictures from somebody's disk into InvokeAI's page, and many of them back to it."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

from playwright.async_api import Browser, expect

from tests.browser.conftest import Deployment
from tests.browser.people import Visitor
from tests.gallery.files import encoded, phone_photo, picture


async def test_uploaded_and_downloaded(
    deployment: Deployment, chromium: Browser, screenshots: Path, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(phone_photo())
    (tmp_path / "drawing.png").write_bytes(encoded(picture(size=(300, 200))))
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    ada.complaints.clear()
    await (
        ada.page.get_by_role("tab", name="Assets")
        .or_(ada.page.get_by_text("Assets", exact=True))
        .first.click()
    )
    files = [tmp_path / "photo.jpg", tmp_path / "drawing.png"]
    await ada.page.locator("input[type=file][multiple]").first.set_input_files(files)
    await expect(ada.pictures).to_have_count(2)
    assert await ada.shown(ada.pictures.locator("img").first)
    await ada.look("20-uploaded")

    await ada.mark_both()
    await ada.pictures.last.click(button="right")
    await ada.page.get_by_text("Download 2 Images").click()
    link = ada.page.get_by_text("Click here to download")
    await link.wait_for()
    await ada.look("21-download-ready")
    for _ in range(2):  # the notice stays, and its link is good again
        async with ada.page.expect_download() as saving:
            await link.click()
        saved = await (await saving.value).path()
        with ZipFile(saved) as archive:
            assert archive.testzip() is None
            assert {name.partition("/")[0] for name in archive.namelist()} == {"user"}
            assert len(archive.namelist()) == 2
    assert ada.complaints == []
