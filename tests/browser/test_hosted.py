"""Logging in on the user pool's own page, in a browser: there, back, and out again at both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, live_api
from tests.aws import Aws
from tests.browser.people import Visitor
from tests.hosted_server import HostedPool, hosted_pool
from tests.identity.hosted.conftest import EMAIL, Place
from tests.waiting import eventually


@pytest.fixture
async def place(settings: Settings, aws: Aws) -> AsyncIterator[Place]:
    with hosted_pool(aws, settings.public_url) as pool:
        async with live_api(settings.model_copy(update=pool.settings())) as api:
            pool.callbacks, pool.logouts = {f"{api.url}/login/callback"}, {f"{api.url}/login"}
            yield Place(api, pool)


async def _sign_in(ada: Visitor, pool: HostedPool) -> None:
    await ada.page.get_by_role("link", name="secure sign-in page").click()
    await ada.page.wait_for_url(f"{pool.url}/login?**")
    await ada.page.locator("input[name=username]").fill(EMAIL)
    await ada.page.locator("input[name=password]").fill(PASSWORD)
    await ada.page.get_by_role("button", name="Sign in").click()


async def _out(pool: HostedPool) -> None:
    """InvokeAI's page shows its log-in form by itself, and is then led to the pool and back to it."""
    await eventually(lambda: not pool.sessions)


async def test_there_and_back_and_out(place: Place, chromium: Browser, screenshots: Path) -> None:
    place.add()
    ada = await Visitor.arrive(chromium, place.api.settings.public_url, screenshots)
    await ada.open("/login")
    await ada.page.get_by_role("link", name="secure sign-in page").wait_for()
    await ada.look("46-log-in-hosted")
    await _sign_in(ada, place.pool)
    await ada.page.wait_for_url("**/app")
    assert await ada.credits() == 500
    assert "code=" not in await ada.page.evaluate("location.href + document.referrer")
    await ada.open("/account")
    await ada.page.get_by_role("button", name="Log out").click()
    await ada.page.wait_for_url("**/login")
    await _out(place.pool)

    await _sign_in(ada, place.pool)
    await ada.page.wait_for_url("**/app")
    await ada.bar.wait_for()
    # As InvokeAI's page logs out.
    await ada.page.evaluate(
        "void fetch('/api/v1/auth/logout', { method: 'POST',"
        " headers: { authorization: `Bearer ${localStorage.getItem('auth_token')}` } })"
    )
    await ada.page.wait_for_url("**/login")
    await _out(place.pool)
    await ada.page.wait_for_function("localStorage.getItem('auth_token') === null")


async def test_what_went_wrong_is_said_beside_the_form(
    place: Place, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, place.api.settings.public_url, screenshots)
    await ada.open("/login")
    await ada.page.get_by_role("link", name="secure sign-in page").click()
    await ada.page.get_by_role("button", name="Cancel").click()
    problem = ada.page.locator("invokeai-saas-bar .problem")
    await expect(problem).to_contain_text("You left the sign-in page without signing in.")
    assert ada.page.url.endswith("/login")
    await ada.look("47-log-in-hosted-problem")
    await ada.open("/pricing?lang=ko")
    await ada.open("/login?problem=log_in_stale")
    await expect(problem).to_contain_text("다시 시작해 주세요.")
    await expect(ada.page.locator("invokeai-saas-bar .hosted a")).to_contain_text("보안 로그인 페이지")
