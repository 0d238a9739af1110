"""Videos in InvokeAI's page: from somebody's disk into the gallery, and played from anywhere in them."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.conftest import Deployment
from tests.browser.people import PATIENCE, Visitor
from tests.gallery.videos.films import film


async def test_uploaded_and_played(
    deployment: Deployment, chromium: Browser, screenshots: Path, tmp_path: Path
) -> None:
    (tmp_path / "film.mp4").write_bytes(film(size="320x240", rate=10, seconds=12))
    (tmp_path / "short.mp4").write_bytes(film(size="320x240"))
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    ada.complaints.clear()
    files = [tmp_path / "short.mp4", tmp_path / "film.mp4"]
    await ada.page.locator("input[type=file][multiple]").first.set_input_files(files)
    await (
        ada.page.get_by_role("tab", name="Assets")
        .or_(ada.page.get_by_text("Assets", exact=True))
        .first.click()
    )
    await expect(ada.pictures).to_have_count(2)
    assert await ada.shown(ada.pictures.locator("img").first)
    await ada.look("22-videos-uploaded")

    await ada.pictures.first.click()
    await ada.page.get_by_text("Viewer", exact=True).click()
    player = ada.page.locator("video").first
    await player.wait_for(timeout=PATIENCE)
    await player.evaluate(
        """video => new Promise((resolve, reject) => {
            video.onseeked = resolve;
            video.onerror = () => reject(video.error);
            const seek = () => { video.currentTime = video.duration - 0.3; };
            video.readyState > 0 ? seek() : video.onloadedmetadata = seek;
        })"""
    )
    assert await player.evaluate("video => [video.videoWidth, video.videoHeight]") == [320, 240]
    assert await player.evaluate("video => video.readyState") >= 2
    await ada.look("23-video-played")
    assert ada.complaints == []
