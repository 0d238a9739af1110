"""Somebody of the staff at their desk."""

from __future__ import annotations

import pytest

from tests.admin.desk import Desk, open_desk
from tests.apps import RunningApi
from tests.servers import TestDatabase


@pytest.fixture
async def desk(api: RunningApi, database: TestDatabase) -> Desk:
    return await open_desk(api, database)
