"""Our pages for strangers and customers, as the server answers them."""

from __future__ import annotations

import secrets
from pathlib import Path

import httpx
import psycopg
import pytest

from invokeai_saas.portal.showcase import PICTURES
from tests.apps import RunningApi, running_api
from tests.portal.html import Parsed, assert_own_page
from tests.servers import TestDatabase

PAGES = ["/", "/welcome", "/pricing", "/signup", "/signup?plan=pro&interval=year", "/account", "/forgot-password",
         "/reset-password", "/verify-email"]  # fmt: skip
HTML = {"accept": "text/html,*/*;q=0.8"}


def _words(html: str) -> str:
    return " ".join(one.words() for one in Parsed(html).all("body"))


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_whole_in_both_languages(api: RunningApi, path: str, language: str) -> None:
    answer = await api.nobody().get(path, headers={"accept-language": language})
    assert answer.status_code == 200
    assert_own_page(answer)
    [document] = Parsed(answer.text).all("html")
    assert document.attributes["lang"] == language


async def test_a_chosen_language_is_remembered(api: RunningApi) -> None:
    visitor = api.nobody()
    first = await visitor.get("/pricing?lang=ko&x=1", headers={"accept-language": "en"})
    cookie = first.headers["set-cookie"]
    assert "Max-Age=31536000" in cookie and "SameSite=lax" in cookie
    assert "HttpOnly" not in cookie  # the bar's words.js reads it
    assert '<html lang="ko">' in first.text
    assert 'href="?x=1&amp;lang=en"' in first.text
    again = await visitor.get("/signup", headers={"accept-language": "en"})
    assert '<html lang="ko">' in again.text
    assert "set-cookie" not in again.headers
    await visitor.get("/?lang=en")
    assert '<html lang="en">' in (await visitor.get("/signup", headers={"accept-language": "ko"})).text


async def test_only_the_address_of_the_service_leads_on(api: RunningApi) -> None:
    """Who is logged in is sent on from `/`, and can read the same page at `/welcome`."""
    assert "/portal/onward.js" in (await api.nobody().get("/")).text
    assert "/portal/onward.js" not in (await api.nobody().get("/welcome")).text


async def test_every_picture_is_there_and_described(api: RunningApi) -> None:
    visitor = api.nobody()
    pictures = [one.attributes for one in Parsed((await visitor.get("/welcome")).text).all("img")]
    drawn = [one for one in pictures if one["src"].startswith("/portal/pictures/")]
    assert len(drawn) == len(PICTURES) + 1
    for attributes in drawn:
        assert attributes["alt"] and attributes["width"] and attributes["height"]
        answer = await visitor.get(attributes["src"])
        assert answer.headers["content-type"] == "image/webp"
        assert "content-encoding" not in answer.headers


async def test_prices_are_as_the_rows_have_them(api: RunningApi, database: TestDatabase) -> None:
    page = Parsed((await api.nobody().get("/pricing")).text)
    cards = [one for one in page.all("li") if one.attributes.get("class") == "offer"]
    offers = {card.attributes["data-plan"]: card.words() for card in cards}
    assert list(offers) == ["trial", "starter", "pro", "studio", "enterprise"]
    assert "500 credits for 7 days" in offers["trial"]
    assert "$75 a month" in offers["pro"] and "$750 a year" in offers["pro"]
    assert "$150 less than twelve months" in offers["pro"]
    assert "3 jobs at a time" in offers["studio"] and "200 GB" in offers["studio"]
    assert "Not included: API keys" in offers["starter"] and "Included: API keys" in offers["pro"]
    assert "Included: LoRA training (not yet available)" in offers["enterprise"]
    assert "On request" in offers["enterprise"]
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE subscription_plans SET monthly_price = 79.5, annual_price = NULL, max_queues = 2, name = 'Pro <2>'"
            " WHERE slug = 'pro'"
        )
        connection.execute("UPDATE credit_packs SET is_active = slug = 'pack-5000', price = 24")
    html = (await api.nobody().get("/pricing")).text
    words = _words(html)
    assert "Pro <2> $79.50 a month $79.50 a month By the month only" in words
    assert "2 jobs at a time" in words
    assert "5,000 credits $24" in words and "1,000 credits" not in words.replace("15,000", "")


async def test_who_to_write_to_is_a_setting(database: TestDatabase, tmp_path: Path) -> None:
    for contact, links in (("", 0), ("sales@example.com", 1)):
        async with running_api(database.settings(tmp_path, contact_email=contact)) as running:
            page = Parsed((await running.nobody().get("/pricing")).text)
            found = [one for one in page.all("a") if one.attributes["href"] == f"mailto:{contact}"]
            assert len(found) == links


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?plan=pro", "You chose Pro, $75 a month."),
        ("?plan=pro&interval=year", "You chose Pro, $750 a year."),
        ("?plan=pro&interval=week", "You chose Pro, $75 a month."),
        ("?plan=enterprise", None),
        ("?plan=trial", None),
        ("?plan=tester", None),
        ("?plan=%00", None),
    ],
)
async def test_a_plan_is_carried_to_the_form(api: RunningApi, query: str, said: str | None) -> None:
    html = (await api.nobody().get(f"/signup{query}")).text
    assert ("You chose" in html) == (said is not None)
    assert ("data-plan" in html) == (said is not None)
    if said:
        assert said in _words(html)


async def test_too_many_pages_are_refused_in_words(database: TestDatabase, tmp_path: Path) -> None:
    async with running_api(database.settings(tmp_path, pages_per_minute=2)) as running:
        address = (
            f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"  # nobody else's
        )
        transport = httpx.ASGITransport(app=running.app, client=(address, 1))
        visitor = httpx.AsyncClient(transport=transport, base_url=running.settings.public_url)
        running.clients.append(visitor)
        for _ in range(2):
            assert (await visitor.get("/pricing", headers=HTML)).status_code == 200
        refused = await visitor.get("/pricing", headers=HTML)
        assert refused.status_code == 429
        assert f"Please wait {refused.headers['retry-after']} seconds" in refused.text
        assert_own_page(refused)
        asked = await visitor.get("/pricing", headers={"accept": "application/json"})
        assert asked.json()["code"] == "rate_limited"
