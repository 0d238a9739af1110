"""Two organisations and somebody of none."""

from __future__ import annotations

import pytest

from tests.apps import RunningApi
from tests.organisations.people import People, two_organisations
from tests.servers import TestDatabase


@pytest.fixture
async def people(api: RunningApi, database: TestDatabase) -> People:
    return await two_organisations(api, database)
