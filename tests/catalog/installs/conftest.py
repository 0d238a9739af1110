"""A model site of these tests' own, and who installs from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from invokeai_saas.settings import Settings
from tests.catalog.installs.crew import Crew, installing_from, open_crew
from tests.catalog.installs.sources import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture
def settings(settings: Settings, site: Site) -> Settings:
    return installing_from(site, settings)


@pytest.fixture
def crew(settings: Settings) -> Iterator[Crew]:
    with open_crew(settings) as found:
        yield found
