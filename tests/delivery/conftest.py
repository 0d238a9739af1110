"""AWS, as moto's server speaks it, and a clock that makes its tasks and deployments go on while a step waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto.ecs.models import EC2ContainerServiceBackend
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from tests.delivery.world import World


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def world(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
    }.items():
        monkeypatch.setenv(name, value)
    made = World(moto_url)
    moto_update = EC2ContainerServiceBackend.update_service

    def update(backend: EC2ContainerServiceBackend, service_properties: dict[str, Any]) -> Any:
        # ECS makes the new deployment at once, which moto leaves out.
        service = moto_update(backend, service_properties)
        made.begin_deployment(service)
        return service

    monkeypatch.setattr(EC2ContainerServiceBackend, "update_service", update)
    yield made
    made.reset()
