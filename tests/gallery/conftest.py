"""Two people with pictures."""

from __future__ import annotations

import pytest

from invokeai_saas.storage.objects import ObjectStore, open_object_store
from tests.apps import RunningApi
from tests.gallery.people import Gallery
from tests.servers import TestDatabase


@pytest.fixture
async def ada(api: RunningApi, database: TestDatabase) -> Gallery:
    return Gallery(await api.person("ada@example.com"), database)


@pytest.fixture
async def bob(api: RunningApi, database: TestDatabase) -> Gallery:
    return Gallery(await api.person("bob@example.com"), database)


@pytest.fixture
def objects(api: RunningApi) -> ObjectStore:
    return open_object_store(api.settings)
