"""What moto leaves out of ECS: that services' tasks start, become healthy or fail while time passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ecs.models import ecs_backends

from infra.delivery.common import Clock

REGION = "ap-northeast-2"
CLUSTER = "invokeai-staging"
REGISTRY = f"{DEFAULT_ACCOUNT_ID}.dkr.ecr.{REGION}.amazonaws.com"


def image(number: int, repository: str = "invokeai-api") -> str:
    """An address by digest."""
    return f"{REGISTRY}/{repository}@sha256:{number:064x}"


class World(Clock):
    """Parameters: broken: images whose tasks never become healthy; exit_codes: of tasks that run once, by image."""

    def __init__(self) -> None:
        self._now = 0.0
        self.broken: set[str] = set()
        self.exit_codes: dict[str, int | None] = {}
        self.meanwhile: list[Callable[[], None]] = []  # happen one after the other, at each pause one
        self.log: list[tuple[str, str]] = []  # service and image of each deployment that was begun
        self.ecs: Any = boto3.client("ecs")
        ec2 = boto3.client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        self.network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}

    @property
    def _backend(self) -> Any:
        return ecs_backends[DEFAULT_ACCOUNT_ID][REGION]

    def now(self) -> float:
        return self._now

    def pause(self, seconds: float) -> None:
        self._now += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()
        for service in self._backend.services.values():
            if service.status == "ACTIVE":
                self._go_on(service)
            elif service.status == "DRAINING":
                service.status = "INACTIVE"
        self._end_tasks()

    def begin_deployment(self, service: Any) -> None:
        """As ECS does when a service is to run another revision, or another number of tasks."""
        before = service.deployments[0]
        if before["taskDefinition"] == service.task_definition:
            before |= {"desiredCount": service.desired_count, "runningCount": service.desired_count}
            return
        self.log.append((service.name, self._image(service.task_definition)))
        new = {
            **before, "taskDefinition": service.task_definition, "status": "PRIMARY", "rolloutState": "IN_PROGRESS",
            "runningCount": 0, "desiredCount": service.desired_count,
        }  # fmt: skip
        service.deployments = [new, {**before, "status": "ACTIVE"}]

    def _go_on(self, service: Any) -> None:
        primary = service.deployments[0]
        if self._image(primary["taskDefinition"]) in self.broken:
            primary |= {"rolloutState": "FAILED", "rolloutStateReason": "tasks failed to start"}
            return
        primary |= {"rolloutState": "COMPLETED", "runningCount": service.desired_count}
        service.deployments = [primary]

    def _end_tasks(self) -> None:
        for tasks in self._backend.tasks.values():
            for task in tasks.values():
                container = task.containers[0]
                container.exitCode = self.exit_codes.get(container.image, 0)

    def _image(self, revision: str) -> str:
        return str(self._backend.describe_task_definition(revision).container_definitions[0]["image"])

    def make_service(self, name: str, number: int, *, balanced: bool = False) -> str:
        """A service that runs image `number`; answers its revision."""
        revision = self.make_family(name, number)
        balancers = [{"targetGroupArn": "arn:aws:tg", "containerName": name, "containerPort": 8080}]
        self.ecs.create_service(
            cluster=CLUSTER, serviceName=name, taskDefinition=revision, desiredCount=2, launchType="FARGATE",
            networkConfiguration=self.network, loadBalancers=balancers if balanced else [],
        )  # fmt: skip
        self.pause(1)
        return revision

    def make_family(self, name: str, number: int) -> str:
        self.ecs.create_cluster(clusterName=CLUSTER)
        made = self.ecs.register_task_definition(
            family=name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            executionRoleArn="arn:aws:iam::1:role/execution", taskRoleArn="arn:aws:iam::1:role/task",
            containerDefinitions=[{
                "name": name, "image": image(number), "command": ["invokeai-saas", name], "cpu": 256, "memory": 512,
                "secrets": [{"name": "DATABASE_URL", "valueFrom": "arn:aws:secretsmanager:x"}],
            }],
        )  # fmt: skip
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def running(self, service: str) -> str:
        """The image that a service is to run."""
        found = self.ecs.describe_services(cluster=CLUSTER, services=[service])["services"][0]
        return self._image(found["taskDefinition"])

    def services(self) -> list[str]:
        """Names of the services that are there."""
        return sorted(s.name for s in self._backend.services.values() if s.status == "ACTIVE")

    def tasks(self) -> list[Any]:
        """What was run once, as moto keeps it."""
        return list(self._backend.tasks.get(CLUSTER, {}).values())
