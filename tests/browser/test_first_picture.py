"""A stranger opens the page, signs up, writes a prompt, watches it, and finds the picture in their gallery."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.conftest import Deployment
from tests.browser.people import Visitor


async def test_from_a_prompt_to_a_picture(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.open("/")
    await ada.look("00-landing")
    await ada.page.get_by_role("link", name="Start free trial").first.click()
    await expect(ada.page.get_by_text("7 days and 500 credits")).to_be_visible()
    await ada.look("01-sign-up")
    ada.complaints.clear()  # before log-in the page asks for fifty things that nobody may see

    await ada.sign_up("Ada")
    await ada.settle_in()
    assert await ada.credits() == 500
    await ada.look("02-studio")

    await ada.invoke("a red heart")
    await ada.saw("held")
    await ada.saw("progress")
    await ada.look("03-progress")
    await expect(ada.pictures).to_have_count(1)
    assert await ada.shown(ada.pictures.locator("img").first)
    await _pay(ada)
    await ada.page.wait_for_timeout(500)  # for the eyes only: the viewer fades the picture in
    await ada.look("04-picture")

    left = await ada.credits()
    name = await ada.pictures.first.get_attribute("data-item-id")
    await ada.page.reload()
    await ada.prompt.wait_for()
    await expect(ada.pictures).to_have_count(1)
    assert await ada.pictures.first.get_attribute("data-item-id") == name
    assert await ada.shown(ada.pictures.locator("img").first)
    assert await ada.credits() == left
    await ada.look("05-reloaded")
    assert ada.complaints == []

    await _find_it_in_the_account(ada, left)


async def _pay(person: Visitor) -> None:
    """Waits until the bar, unasked, shows a settled charge."""
    await expect(person.held).to_be_hidden()
    await expect(person.page.locator("invokeai-saas-bar .amount")).not_to_have_text("500")


async def _find_it_in_the_account(person: Visitor, left: int) -> None:
    await person.bar.click()
    await person.page.wait_for_url("**/account")
    await expect(person.page.locator("#available")).to_have_text(str(left))
    await expect(person.page.locator("#usage-rows tr")).to_have_count(1)
    await expect(person.page.locator("#history-rows tr")).to_have_count(2)
    await person.look("06-account")


async def test_a_second_person_sees_nothing_of_the_first(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    bob = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    await bob.move_in("Bob")

    await ada.invoke("a green apple")
    await ada.saw("held")
    await expect(ada.pictures).to_have_count(1)
    await _pay(ada)
    name = str(await ada.pictures.first.get_attribute("data-item-id"))

    assert await bob.pictures.count() == 0
    assert await bob.credits() == 500
    assert not any(name in url for url in bob.asked)
    await bob.page.reload()
    await bob.prompt.wait_for()
    await expect(bob.page.get_by_text("No images/videos found")).to_be_visible()
    assert await bob.credits() == 500
    await bob.look("07-second-person")
