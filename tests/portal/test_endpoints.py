"""InvokeAI's page and our own, as browsers ask for them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from invokeai_saas.portal.endpoints import ITS_ROUTES
from invokeai_saas.portal.install import SCRIPT_TAG, install_page
from invokeai_saas.portal.own import STATIC_FILES
from invokeai_saas.settings import Settings
from tests.apps import RunningApi, running_api
from tests.portal.html import assert_own_page
from tests.portal.wheels import FONT, SCRIPT, make_wheel
from tests.servers import TestDatabase

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PLAIN = {"accept-encoding": "identity"}


@pytest.fixture
async def paged(database: TestDatabase, tmp_path: Path) -> AsyncIterator[RunningApi]:
    """The API with a page installed."""
    install_page(make_wheel(tmp_path), tmp_path / "page")
    async with running_api(database.settings(tmp_path, page_dir=tmp_path / "page")) as running:
        yield running


@pytest.fixture
async def unpaged(database: TestDatabase, tmp_path: Path) -> AsyncIterator[RunningApi]:
    """The API where `make install` was not run."""
    async with running_api(database.settings(tmp_path, page_dir=tmp_path / "page")) as running:
        yield running


async def test_the_pages_own_routes_are_its_index(paged: RunningApi) -> None:
    for path in ("/app", "/login", "/profile"):
        answer = await paged.nobody().get(path, headers=HTML)
        assert answer.status_code == 200
        assert SCRIPT_TAG in answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"


async def test_paths_of_our_staff_are_never_invokeais_page(paged: RunningApi) -> None:
    """Its page for administrators is for nobody: is_admin is false for all. Ours lie there, under a stricter policy."""
    answer = await paged.nobody().get("/admin/users", headers=HTML)
    assert answer.status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_the_page_shadows_no_other_path(paged: RunningApi, method: str) -> None:
    for path in ("/api/v1/nope", "/api/v9/x", "/images/nope", "/portal/nope.js", "/ws/nope"):
        answer = await paged.nobody().request(method, path, headers=HTML)
        # Pictures and our own files have routes of their own, which know other methods for what they are.
        own = path.startswith(("/portal", "/images"))
        assert answer.status_code == 404 or (answer.status_code == 405 and own), path
        assert answer.headers["content-type"] == "application/json"


async def test_files_that_carry_a_digest_are_kept_for_ever(paged: RunningApi) -> None:
    visitor = paged.nobody()
    script = await visitor.get("/assets/index-abc.js", headers=PLAIN)
    assert script.text == SCRIPT
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/assets/images/logo.svg", "/locales/en.json"):
        assert (await visitor.get(path)).headers["cache-control"] == "public, max-age=3600"


async def test_files_go_out_compressed_to_who_takes_it(paged: RunningApi) -> None:
    visitor = paged.nobody()
    for accepts, encoding in (
        ("gzip, deflate, br", "gzip"),
        ("br", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("*", "gzip"),
    ):
        answer = await visitor.get("/assets/index-abc.js", headers={"accept-encoding": accepts})
        assert answer.headers.get("content-encoding") == encoding, accepts
        assert answer.text == SCRIPT  # httpx unpacks it
        assert answer.headers["vary"] == "Accept-Encoding"
        sent = int(answer.headers["content-length"])
        assert sent < len(SCRIPT) / 10 if encoding else sent == len(SCRIPT)


async def test_what_a_browser_has_is_not_sent_again(paged: RunningApi) -> None:
    visitor = paged.nobody()
    for path in ("/app", "/assets/index-abc.js", "/portal/bar.js", "/portal/inter.woff2"):
        first = await visitor.get(path)
        etag = first.headers["etag"]
        for known in (etag, f"W/{etag}", f'"x", {etag}'):
            again = await visitor.get(path, headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert (await visitor.get(path, headers={"if-none-match": '"other"'})).status_code == 200
        plain = await visitor.get(path, headers=PLAIN)
        assert (plain.headers["etag"] == etag) == ("content-encoding" not in first.headers)


async def test_head_answers_without_a_body(paged: RunningApi) -> None:
    visitor = paged.nobody()
    for path in ("/", "/app", "/assets/index-abc.js", "/signup", "/pricing", "/account", "/portal/bar.js"):
        answer = await visitor.request("HEAD", path)
        assert (answer.status_code, answer.content) == (200, b"")


async def test_only_listed_files_are_opened(paged: RunningApi) -> None:
    visitor = paged.nobody()
    for path in (
        "/assets/nope.js",
        "/locales/xx.json",
        "/.installed.json",
        "/assets/..%2f.installed.json",
        "/assets/index-abc.js.gz",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
    ):
        answer = await visitor.get(path, headers={"accept": "*/*", **PLAIN})
        assert answer.status_code == 404 or SCRIPT_TAG in answer.text, path
        assert "root:" not in answer.text and '"source"' not in answer.text
        assert (await visitor.get(path, headers={"accept": "application/json"})).status_code == 404, path


@pytest.mark.parametrize("path", ["/pricng", "/account/keys", "/a/b/c", "/welcome/"])
async def test_a_mistyped_address_says_so(paged: RunningApi, path: str) -> None:
    visitor = paged.nobody()
    answer = await visitor.get(path, headers=HTML | {"accept-language": "ko"})
    assert answer.status_code == 404
    assert "페이지를 찾을 수 없습니다" in answer.text
    assert_own_page(answer)
    assert (await visitor.get(path, headers={"accept": "application/json"})).json()["code"] == "not_found"


def test_the_addresses_that_are_left_to_the_page_are_its_own() -> None:
    """What InvokeAI's compiled page draws by itself, but for its first tab at `/*` and the form that we replace."""
    scripts = (Settings().page_dir / "assets").glob("*.js")
    routes = {
        route for script in scripts for route in re.findall(r"path:`/([a-z/.]*)`", script.read_text("utf-8"))
    }
    assert routes - {"", "engine.io", "setup"} | {"app"} == ITS_ROUTES


async def test_invokeais_own_set_up_leads_to_ours(paged: RunningApi) -> None:
    answer = await paged.nobody().get("/setup", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (307, "/signup")


async def test_the_typeface_has_a_lasting_name(paged: RunningApi) -> None:
    answer = await paged.nobody().get("/portal/inter.woff2")
    assert (answer.content, answer.headers["content-type"]) == (FONT, "font/woff2")


async def test_a_missing_page_says_what_to_do_and_appears_once_installed(
    unpaged: RunningApi, tmp_path: Path
) -> None:
    visitor = unpaged.nobody()
    for path in ("/login", "/app"):
        answer = await visitor.get(path, headers=HTML)
        assert answer.status_code == 503
        assert "make install" in answer.text
    assert (await visitor.get("/assets/index-abc.js")).status_code == 404
    assert (await visitor.get("/portal/inter.woff2")).status_code == 404
    assert (await visitor.get("/signup")).status_code == 200
    install_page(make_wheel(tmp_path), tmp_path / "page")
    assert (await visitor.get("/app", headers=HTML)).status_code == 200


async def test_sign_up_speaks_of_the_trial_as_the_plan_has_it(
    api: RunningApi, database: TestDatabase
) -> None:
    answer = await api.nobody().get("/signup", headers=HTML)
    assert_own_page(answer)
    assert "7 days and 500 credits" in " ".join(answer.text.split())
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE subscription_plans SET monthly_credits = 750, trial_days = 14 WHERE slug = 'trial'"
        )
    assert "14 days and 750 credits" in " ".join((await api.nobody().get("/signup")).text.split())
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET is_active = false WHERE slug = 'trial'")
    without = await api.nobody().get("/signup")
    assert without.status_code == 200
    assert "credits" not in without.text


async def test_the_account_page_holds_nothing_of_anybody(api: RunningApi) -> None:
    ada = await api.person("lovelace@example.com")
    hers, nobodys = await ada.get("/account", headers=HTML), await api.nobody().get("/account", headers=HTML)
    assert_own_page(hers)
    assert hers.text == nobodys.text
    assert "lovelace" not in hers.text


async def test_every_file_that_our_pages_name_exists(paged: RunningApi) -> None:
    visitor = paged.nobody()
    for page in ("/", "/welcome", "/pricing", "/signup", "/account", "/forgot-password"):
        html = (await visitor.get(page)).text
        named = [part.split('"')[0] for part in html.split('"/portal/')[1:]]
        assert named
        for name in named:
            assert (await visitor.get(f"/portal/{name}")).status_code == 200, name


def test_every_script_that_a_script_imports_exists() -> None:
    scripts = {
        name: file.plain.decode() for name, file in STATIC_FILES.items() if name.startswith("account/")
    }
    imported = {
        f"account/{name}" for text in scripts.values() for name in re.findall(r'from "\./(.+)"', text)
    }
    assert "account/common.js" in imported
    assert imported < set(scripts)


async def test_the_bar_is_one_script_of_all_its_parts(api: RunningApi) -> None:
    script = (await api.nobody().get("/portal/bar.js")).text
    for mark in (
        "/api/v1/auth/refresh",
        "invokeai-saas-notice",
        "transport=websocket",
        "/api/v1/account/summary",
    ):
        assert mark in script


@pytest.mark.parametrize("path", ["/forgot-password", "/reset-password", "/verify-email"])
async def test_pages_that_mails_lead_to_speak_two_languages(api: RunningApi, path: str) -> None:
    visitor = api.nobody()
    for query, header, language in (
        ("", "ko-KR,ko;q=0.9", "ko"),
        ("", "de", "en"),
        ("?lang=ko", "en", "ko"),
        ("?lang=en", "ko", "en"),
        ("?lang=fr", "ko", "ko"),
    ):
        visitor.client.cookies.clear()
        answer = await visitor.get(path + query, headers={"accept-language": header})
        assert answer.status_code == 200
        assert f'<html lang="{language}">' in answer.text, (query, header)
        assert answer.headers["vary"] == "Accept-Language, Cookie"
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert 'content="no-referrer"' in answer.text


async def test_sign_up_says_when_the_trial_waits(database: TestDatabase, tmp_path: Path) -> None:
    for waits, following in ((False, "/app"), (True, "/account")):
        async with running_api(database.settings(tmp_path, verified_email_required=waits)) as running:
            page = (await running.nobody().get("/signup")).text
            assert ("begins when you open the link" in page) is waits
            assert f'data-next="{following}"' in page
