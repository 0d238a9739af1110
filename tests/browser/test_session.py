"""The log-in goes on past the life of an access token, and ends when the session does."""

from __future__ import annotations

from pathlib import Path

import jwt
import psycopg
import pytest
from playwright.async_api import Browser, expect

from invokeai_saas.services import local_issuer
from tests.browser.conftest import Deployment
from tests.browser.people import PATIENCE, Visitor

pytestmark = pytest.mark.timeout(300)


async def _token(person: Visitor) -> str:
    return str(await person.page.evaluate("localStorage.getItem('auth_token')"))


async def _let_it_expire(person: Visitor, deployment: Deployment) -> str:
    """Puts a token of the same session into the page whose life ended a minute ago; answers it."""
    claims = jwt.decode(await _token(person), options={"verify_signature": False})
    expired = local_issuer(deployment.settings).issue(
        claims["sub"], claims["origin_jti"], claims["user_id"], -60
    )
    await person.page.evaluate("token => localStorage.setItem('auth_token', token)", expired)
    return expired


async def test_a_page_opened_the_next_day_is_still_logged_in(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    expired = await _let_it_expire(ada, deployment)
    ada.complaints.clear()
    await ada.open("/")
    await ada.prompt.wait_for()
    assert await ada.credits() == 500
    assert await _token(ada) != expired
    assert ada.page.url.endswith("/app")
    # The page's own socket has taken the new token, too: progress comes over nothing else.
    await ada.invoke("a red heart")
    await expect(ada.page.get_by_test_id("progress-image").first).to_be_visible(timeout=PATIENCE)
    assert ada.complaints == []


async def test_a_page_left_open_goes_on_where_it_was(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    await ada.prompt.fill("words that are not saved yet")
    expired = await _let_it_expire(ada, deployment)
    ada.complaints.clear()
    await ada.page.get_by_test_id("Queue").click()
    await ada.page.wait_for_function("old => localStorage.getItem('auth_token') !== old", arg=expired)
    await ada.page.get_by_test_id("Generate").click()
    await expect(ada.prompt).to_have_value("words that are not saved yet")
    assert ada.renewals() == 1  # however many requests were waiting for it
    assert ada.complaints == []


async def test_two_tabs_renew_once_between_them(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    other = await ada.context.new_page()
    await _let_it_expire(ada, deployment)
    await other.goto(f"{deployment.url}/account")
    await ada.page.get_by_test_id("Queue").click()
    await expect(other.locator("#available")).to_have_text("500")
    await expect(ada.bar).to_be_visible()
    assert ada.renewals() == 1


async def test_a_session_that_has_ended_leads_to_log_in(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    email = await ada.move_in("Ada")
    with psycopg.connect(deployment.database.owner) as connection:
        connection.execute(
            "UPDATE auth_sessions SET revoked_at = now() FROM users u WHERE u.id = user_id AND u.email = %s",
            [email],
        )
    await _let_it_expire(ada, deployment)
    await ada.open("/")
    await ada.page.wait_for_url("**/login")
    await expect(ada.page.get_by_role("link", name="Create an account")).to_be_visible()
    await expect(ada.bar).to_be_hidden()
    assert ada.renewals() == 1


async def test_logging_out_of_the_account_page_ends_it(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    token = await _token(ada)
    await ada.open("/account")
    await ada.page.get_by_role("button", name="Log out").click()
    await ada.page.wait_for_url("**/login")
    answer = await ada.page.request.get(
        f"{deployment.url}/api/v1/auth/me", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.status == 401
    await ada.open("/account")
    await ada.page.wait_for_url("**/login")
