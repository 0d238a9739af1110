"""A service that sells, keeps files and sends mail, and the scheduler's parts in a deletion."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from invokeai_saas.settings import Settings
from tests.billing.shop import open_shop
from tests.privacy.world import World, open_world
from tests.servers import TestDatabase


@pytest.fixture
async def world(settings: Settings, database: TestDatabase, tmp_path: Path) -> AsyncIterator[World]:
    changed = settings.model_copy(update={"deletion_grace_days": 0.0})
    async with open_shop(changed, database, tmp_path) as shop:
        with open_world(shop, tmp_path) as opened:
            yield opened
