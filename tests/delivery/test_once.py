"""Tasks that an operator runs once: what they printed, how they ended, and a log that is to be forgotten."""

from __future__ import annotations

import time
from typing import Any

import boto3
import pytest

from infra.delivery.common import DeliveryFailed
from infra.delivery.ecs import Cluster
from infra.delivery.once import run_once
from tests.delivery.world import CLUSTER, World, image

_GROUP = "/ecs/invokeai-migrate"


class Ran:
    """A task of the family `migrate` whose container prints lines while it runs."""

    def __init__(self, world: World) -> None:
        self.world, self.logs = world, boto3.client("logs")
        self.logs.create_log_group(logGroupName=_GROUP)
        container = {
            "name": "migrate", "image": image(1), "cpu": 256, "memory": 512,
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": _GROUP, "awslogs-region": "ap-northeast-2", "awslogs-stream-prefix": "migrate",
            }},
        }  # fmt: skip
        world.make_family("other", 1)  # the cluster
        world.ecs.register_task_definition(
            family="migrate", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            containerDefinitions=[container],
        )  # fmt: skip

    def prints(self, *lines: str) -> None:
        def write() -> None:
            stream = f"migrate/migrate/{self.world.tasks()[0].task_arn.rpartition('/')[2]}"
            self.logs.create_log_stream(logGroupName=_GROUP, logStreamName=stream)
            now = int(time.time() * 1000)  # CloudWatch refuses what is old
            events = [{"timestamp": now + n, "message": line} for n, line in enumerate(lines)]
            self.logs.put_log_events(logGroupName=_GROUP, logStreamName=stream, logEvents=events)

        self.world.meanwhile.append(write)

    def run(self, **options: Any) -> None:
        cluster = Cluster(CLUSTER, self.world)
        run_once(
            cluster,
            "migrate",
            self.world.network,
            seconds=600,
            clock=self.world,
            **{"command": [], **options},
        )

    def streams(self) -> list[str]:
        return [s["logStreamName"] for s in self.logs.describe_log_streams(logGroupName=_GROUP)["logStreams"]]


@pytest.fixture
def ran(world: World) -> Ran:
    return Ran(world)


def test_what_it_printed_is_shown_and_kept(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    ran.prints("one", "two")
    ran.run(command=["invokeai-saas", "migrate"])
    shown = capsys.readouterr().out
    assert "| one\n| two\n" in shown
    assert "ended with {'migrate': 0}" in shown
    assert len(ran.streams()) == 1
    (task,) = ran.world.tasks()
    assert task.overrides["containerOverrides"][0]["command"] == ["invokeai-saas", "migrate"]


def test_a_log_with_a_password_is_forgotten(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    ran.prints("Password: x")
    ran.run(forget=True)
    assert "| Password: x\n" in capsys.readouterr().out
    assert ran.streams() == []


def test_a_failure_shows_its_log_too(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    ran.prints("no such table")
    ran.world.exit_codes[image(1)] = 1
    with pytest.raises(DeliveryFailed, match="ended with"):
        ran.run()
    assert "| no such table\n" in capsys.readouterr().out


def test_a_log_that_is_not_there_is_said_and_one_to_forget_is_a_failure(
    ran: Ran, capsys: pytest.CaptureFixture[str]
) -> None:
    ran.run()
    assert "There is nothing in /ecs/invokeai-migrate" in capsys.readouterr().out
    with pytest.raises(DeliveryFailed, match="delete-log-stream"):
        ran.run(forget=True)


def test_a_task_without_a_log_is_refused(ran: Ran) -> None:
    with pytest.raises(DeliveryFailed, match="no log"):
        run_once(
            Cluster(CLUSTER, ran.world), "other", ran.world.network, command=[], seconds=60, clock=ran.world
        )
