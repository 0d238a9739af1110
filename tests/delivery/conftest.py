"""AWS, as moto's server speaks it, and a clock that makes its tasks and deployments go on while a step waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto.ecs.models import EC2ContainerServiceBackend

from tests.aws import Aws, aws_within
from tests.delivery.world import World


@pytest.fixture(scope="package")
def account() -> Iterator[Aws]:
    with aws_within() as aws:
        yield aws


@pytest.fixture
def world(account: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in {
        "AWS_ENDPOINT_URL": account.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
    }.items():
        monkeypatch.setenv(name, value)
    made = World()
    moto_update = EC2ContainerServiceBackend.update_service

    def update(backend: EC2ContainerServiceBackend, service_properties: dict[str, Any]) -> Any:
        # ECS makes the new deployment at once, which moto leaves out.
        service = moto_update(backend, service_properties)
        made.begin_deployment(service)
        return service

    monkeypatch.setattr(EC2ContainerServiceBackend, "update_service", update)
    yield made
    account.empty()
