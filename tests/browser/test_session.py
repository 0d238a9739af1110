"""The log-in goes on past the life of an access token, and ends when the session does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import jwt
import psycopg
from playwright.async_api import Browser, Route, expect

from invokeai_saas.services import local_issuer
from tests.browser.conftest import Deployment
from tests.browser.people import Visitor


async def _token(person: Visitor) -> str:
    return str(await person.page.evaluate("localStorage.getItem('auth_token')"))


async def _let_it_expire(person: Visitor, deployment: Deployment) -> str:
    """Puts a token of the same session into the page whose life ended a minute ago; answers it."""
    claims = jwt.decode(await _token(person), options={"verify_signature": False})
    expired = local_issuer(deployment.settings).issue(
        claims["sub"], claims["origin_jti"], claims["user_id"], -60
    )
    await _store(person, expired)
    return expired


async def _store(person: Visitor, token: str) -> None:
    await person.page.evaluate("token => localStorage.setItem('auth_token', token)", token)


async def _step_out(person: Visitor) -> None:
    """Away from the page, which still asks now and then and would renew the token itself, to where no script is."""
    await person.open("/portal/pages.css")


async def _renewed(person: Visitor, expired: str) -> None:
    """Waits: the page writes the token that it began with back while it starts, until its next request."""
    await person.page.wait_for_function("old => localStorage.getItem('auth_token') !== old", arg=expired)


async def _the_next_day(deployment: Deployment, chromium: Browser, shots: Path) -> tuple[Visitor, str]:
    """Somebody who opens the page again, and the token that had ended until then."""
    ada = await Visitor.arrive(chromium, deployment.url, shots)
    await ada.move_in("Ada")
    await _step_out(ada)
    expired = await _let_it_expire(ada, deployment)
    ada.complaints.clear()
    await ada.open("/")
    await ada.prompt.wait_for()
    await _renewed(ada, expired)
    return ada, expired


async def test_a_page_opened_the_next_day_is_still_logged_in(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    ada, _ = await _the_next_day(deployment, chromium, screenshots)
    assert await ada.credits() == 500
    assert ada.renewals() == 1
    assert ada.page.url.endswith("/app")
    # The page's own socket has taken the new token, too: progress comes over nothing else.
    await ada.invoke("a red heart")
    await ada.saw("progress")
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
    await _renewed(ada, expired)
    await ada.page.get_by_test_id("Generate").click()
    await expect(ada.prompt).to_have_value("words that are not saved yet")
    assert ada.renewals() == 1  # however many requests were waiting for it
    assert ada.complaints == []


async def test_a_page_that_writes_its_first_token_back_has_the_new_one_again(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    """InvokeAI's page does it when the renewal was over before it listened."""
    ada, expired = await _the_next_day(deployment, chromium, screenshots)
    await _store(ada, expired)
    await ada.invoke("a red heart")
    await _renewed(ada, expired)
    assert ada.renewals() == 1
    assert ada.page.url.endswith("/app")
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
    await _step_out(ada)
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


async def test_what_the_account_page_still_asked_does_not_turn_the_way_out(
    deployment: Deployment, chromium: Browser, screenshots: Path
) -> None:
    """Whoever leaves while the page loads is led out once: a second time would break off the identity provider's."""
    ada = await Visitor.arrive(chromium, deployment.url, screenshots)
    await ada.move_in("Ada")
    out = asyncio.Event()

    async def late(route: Route) -> None:
        await out.wait()
        await route.continue_()

    async def pausing(route: Route) -> None:
        answer = await route.fetch()
        async with ada.page.expect_response("**/api/v1/usage?**") as refused:
            out.set()
        await (await refused.value).finished()
        await ada.page.wait_for_timeout(500)  # for the page to have acted on it
        await route.fulfill(response=answer)

    await ada.page.route("**/api/v1/usage?**", late)
    await ada.page.route("**/api/v1/auth/logout", pausing)
    await ada.open("/account")
    leave = ada.page.get_by_role("button", name="Log out")
    await leave.click()
    await leave.click()  # impatient people do
    await ada.page.wait_for_url("**/login")
    await expect(ada.page.get_by_role("link", name="Create an account")).to_be_visible()
    assert (401, "GET", "/api/v1/usage") in ada.refusals
    assert ada.asked.count(f"{deployment.url}/login") == 1
