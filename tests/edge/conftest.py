"""The service with an edge before its store, and with none."""

from __future__ import annotations

import pytest

from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from tests.apps import RunningApi
from tests.aws import Aws
from tests.edge.world import Edge, distribution
from tests.gallery.people import Gallery
from tests.servers import TestDatabase


@pytest.fixture
def objects(settings: Settings) -> ObjectStore:
    return open_object_store(settings)


@pytest.fixture
async def ada(api: RunningApi, database: TestDatabase) -> Gallery:
    return Gallery(await api.person("ada@example.com"), database)


@pytest.fixture
def cloudfront(settings: Settings, database: TestDatabase, aws: Aws) -> Edge:
    named = distribution(aws)
    there = {"cloudfront_distribution_id": named, "aws_endpoint_url": aws.url}
    return Edge(settings.model_copy(update=there), database, aws, named)


@pytest.fixture(params=["none", "cloudfront"])
def edge(request: pytest.FixtureRequest, settings: Settings, database: TestDatabase) -> Edge:
    """Either of them."""
    if request.param == "none":
        return Edge(settings, database, None)
    found: Edge = request.getfixturevalue("cloudfront")
    return found
