from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from invokeai_saas.settings import Settings
from tests.billing.shop import Shop, open_shop
from tests.servers import TestDatabase


@pytest.fixture
async def shop(settings: Settings, database: TestDatabase, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(settings, database, tmp_path) as opened:
        yield opened
