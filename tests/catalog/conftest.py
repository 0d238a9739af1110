"""People of these tests."""

from __future__ import annotations

import pytest

from tests.apps import RunningApi, Subject
from tests.catalog import people
from tests.servers import TestDatabase


@pytest.fixture
async def ada(api: RunningApi, database: TestDatabase) -> Subject:
    """Her plan has models of one's own."""
    return await people.owner_of_models(api, database, "ada@example.com")


@pytest.fixture
async def bob(api: RunningApi, database: TestDatabase) -> Subject:
    """Another tenant with such a plan."""
    return await people.owner_of_models(api, database, "bob@example.com")


@pytest.fixture
async def tom(api: RunningApi) -> Subject:
    """On a trial, without models of his own."""
    return await api.person("tom@example.com")


@pytest.fixture
async def staff(api: RunningApi, database: TestDatabase) -> Subject:
    return await people.staff(api, database)
