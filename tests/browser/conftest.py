"""The real API process and a worker with the mock engine, and a Chromium that people's hands and eyes stand in for."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from invokeai_saas.embedded.ports import LOOPBACK, choose_ports
from invokeai_saas.embedded.servers import Addresses
from invokeai_saas.settings import Settings
from tests.browser.people import STARTER, WIDE, Visitor
from tests.browser.street import Street, open_street
from tests.graphs import add_model
from tests.processes import saas, wait_for
from tests.servers import TestDatabase, copied_database

USUAL_PLACES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
MISSING = (
    "No Chromium was found, so NO BROWSER TEST HAS RUN. Install one (`apt-get install chromium`)"
    " or set CHROMIUM_PATH."
)
_skipped = pytest.StashKey[int]()
_failed = pytest.StashKey[bool]()


def _chromium() -> str | None:
    named = os.environ.get("CHROMIUM_PATH")
    if named:
        return named
    return next((found for name in USUAL_PLACES if (found := shutil.which(name))), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what is in this folder, and skips it where there is no browser."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    missing = _chromium() is None
    config.stash[_skipped] = len(here) if missing else 0
    for item in here:
        item.add_marker(pytest.mark.browser)
        if missing:
            item.add_marker(pytest.mark.skip(reason=MISSING))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """A skip among hundreds of dots would be overlooked; this is not."""
    count = config.stash.get(_skipped, 0)
    if count:
        terminalreporter.section("BROWSER TESTS SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{count} tests: {MISSING}", red=True)


@dataclass(frozen=True)
class Deployment:
    """A running service. Parameters: url: where people find it."""

    url: str
    settings: Settings
    database: TestDatabase


@pytest.fixture(scope="package")
def deployment(migrated: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The API and one worker as processes of their own, with the starter model on offer.

    These tests share it, as people share a service: each comes with people of its own.
    """
    changes = {"worker_engine": "mock", "mock_step_seconds": 0.1}
    with deployed(migrated, tmp_path_factory.mktemp("service"), STARTER, sys.executable, changes) as found:
        yield found


@contextmanager
def deployed(
    migrated: Addresses, folder: Path, model: dict[str, Any], worker: str | Path, changes: dict[str, Any]
) -> Iterator[Deployment]:
    """A service. Parameters: worker: the interpreter of its worker; changes: to its settings."""
    if not (Settings().page_dir / "index.html").exists():
        pytest.fail("InvokeAI's page is not installed: run `make install`.")
    port = choose_ports(["api"], {})["api"]
    url = f"http://{LOOPBACK}:{port}"
    with copied_database(migrated) as database:
        settings = database.settings(folder, port=port, public_url=url, **changes)
        add_model(database, **model)
        with saas(settings, "api"), saas(settings, "worker", worker):
            wait_for(url)
            yield Deployment(url, settings, database)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tells fixtures whether the test failed."""
    report = yield
    if report.when == "call":
        item.stash[_failed] = report.failed
    return report


@pytest.fixture
async def chromium(request: pytest.FixtureRequest, screenshots: Path) -> AsyncIterator[Browser]:
    """A headless Chromium of this test alone. What it showed when the test failed is kept."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_chromium(), args=list(FLAGS))
        yield browser
        if request.node.stash.get(_failed, False):
            pages = [page for context in browser.contexts for page in context.pages]
            for number, page in enumerate(pages):
                await page.screenshot(path=screenshots / f"failed-{request.node.name}-{number}.png")
        await browser.close()


@pytest.fixture
async def street(settings: Settings, tmp_path: Path, chromium: Browser) -> AsyncIterator[Street]:
    """A service that sells, and a page of the chromium's in front of it."""
    async with open_street(settings, tmp_path, chromium) as found:
        yield found


@pytest.fixture
async def ada(deployment: Deployment, chromium: Browser, screenshots: Path) -> Visitor:
    """Somebody in the studio, at a wide screen."""
    return await _somebody("Ada", deployment, chromium, screenshots)


@pytest.fixture
async def bob(deployment: Deployment, chromium: Browser, screenshots: Path) -> Visitor:
    """Somebody else."""
    return await _somebody("Bob", deployment, chromium, screenshots)


async def _somebody(name: str, deployment: Deployment, chromium: Browser, screenshots: Path) -> Visitor:
    visitor = await Visitor.arrive(chromium, deployment.url, screenshots, WIDE)
    await visitor.move_in(name)
    visitor.forget()
    return visitor


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where the tests leave what they saw."""
    folder = Path("build", "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
