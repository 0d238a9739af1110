"""Two people, and what InvokeAI ships."""

from __future__ import annotations

import pytest

from invokeai_saas.studio.shipped import Shipped, publish_pictures
from tests.apps import RunningApi, Subject


@pytest.fixture
async def ada(api: RunningApi) -> Subject:
    return await api.person("ada@example.com")


@pytest.fixture
async def bob(api: RunningApi) -> Subject:
    return await api.person("bob@example.com")


@pytest.fixture
async def shipped(api: RunningApi) -> Shipped:
    """What `make install` exported, its pictures in the suite's bucket."""
    await publish_pictures(api.services.shipped, api.services.objects)
    return api.services.shipped
