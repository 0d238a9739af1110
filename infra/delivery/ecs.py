"""ECS as the pipeline needs it: revisions by digest, tasks whose exit codes count, deployments that end.

Nothing here trusts that a call which was accepted has had its effect: a task's exit code is read, and a deployment
counts as done when ECS says so of the very revision that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import boto3

from infra.delivery.common import Clock, DeliveryFailed, say

_DIGEST = re.compile(r"(?P<registry>[^/]+)/(?P<repository>[^@:]+)@sha256:[0-9a-f]{64}")
_LOOK_SECONDS = 10.0
_FIRST_LOOK_SECONDS = 1.0  # at a task that was just started; many end within seconds
# Of a service, what its canary is to have alike.
_ALIKE = (
    "launchType", "capacityProviderStrategy", "platformVersion", "networkConfiguration", "loadBalancers",
    "serviceRegistries", "healthCheckGracePeriodSeconds", "propagateTags", "enableECSManagedTags",
)  # fmt: skip


def repository_of(image: str) -> str:
    """The repository of an image's address, without registry, tag and digest."""
    return image.split("@")[0].partition("/")[2].split(":")[0]


def by_repository(images: list[str]) -> dict[str, str]:
    """Images by their repository.

    Raises:
        DeliveryFailed: one is not named by digest. A tag could name another image tomorrow, and a roll-back would then
            not bring back what ran.
    """
    for image in images:
        if not _DIGEST.fullmatch(image):
            raise DeliveryFailed(f"{image} is not registry/repository@sha256:digest.")
    return {repository_of(image): image for image in images}


class Cluster:
    """Parameters: name: of the ECS cluster; clock: how it waits."""

    def __init__(self, name: str, clock: Clock | None = None) -> None:
        self.name = name
        self._clock = clock or Clock()
        self._ecs: Any = boto3.client("ecs")

    def service(self, name: str) -> dict[str, Any]:
        """A service as it is now.

        Raises:
            DeliveryFailed: there is none.
        """
        found = self._service(name)
        if found is None:
            raise DeliveryFailed(f"There is no service {name} in the cluster {self.name}.")
        return found

    def _service(self, name: str) -> dict[str, Any] | None:
        described = self._ecs.describe_services(cluster=self.name, services=[name])["services"]
        active: list[dict[str, Any]] = [service for service in described if service["status"] == "ACTIVE"]
        return active[0] if active else None

    def revision(self, base: str, images: Mapping[str, str]) -> str:
        """A revision like `base` with other images; `base` itself where it has them already. Answers its ARN.

        Parameters:
            base: ARN or family of a task definition.
            images: addresses by digest, by repository.

        Raises:
            DeliveryFailed: none of its containers has an image of these repositories.
        """
        described = self._ecs.describe_task_definition(taskDefinition=base, include=["TAGS"])
        found: dict[str, Any] = described["taskDefinition"]
        ours = [c for c in found["containerDefinitions"] if repository_of(c["image"]) in images]
        if not ours:
            raise DeliveryFailed(f"No container of {base} has an image of {', '.join(images)}.")
        if all(container["image"] == images[repository_of(container["image"])] for container in ours):
            return str(found["taskDefinitionArn"])
        for container in ours:
            container["image"] = images[repository_of(container["image"])]
        taken = self._ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
        wanted = {key: value for key, value in found.items() if key in taken}
        if described.get("tags"):
            wanted["tags"] = described["tags"]
        made = self._ecs.register_task_definition(**wanted)["taskDefinition"]
        return str(made["taskDefinitionArn"])

    def image_of(self, service: str) -> str:
        """The image that a service is to run, of its first container."""
        revision = self.service(service)["taskDefinition"]
        described = self._ecs.describe_task_definition(taskDefinition=revision)
        return str(described["taskDefinition"]["containerDefinitions"][0]["image"])

    def run_task(
        self,
        revision: str,
        network: dict[str, Any],
        *,
        command: list[str] | None = None,
        environment: Mapping[str, str] | None = None,
        seconds: float,
    ) -> None:
        """Runs a task once and waits for its end.

        Parameters:
            network: `networkConfiguration`; of it the database must be reachable.
            command: instead of the task's own, for its first container.
            environment: more variables for that container.
            seconds: that it may take.

        Raises:
            DeliveryFailed: it did not start, did not end in time, or one of its containers did not end with 0.
        """
        arn = self.start_task(revision, network, command=command, environment=environment)
        self.end_task(arn, revision, seconds)

    def start_task(
        self,
        revision: str,
        network: dict[str, Any],
        *,
        command: list[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """The first half of `run_task`; answers the task's ARN."""
        override: dict[str, Any] = {"name": self._first_container(revision)}
        if command:
            override["command"] = command
        if environment:
            override["environment"] = [{"name": k, "value": v} for k, v in environment.items()]
        started = self._ecs.run_task(
            cluster=self.name, taskDefinition=revision, launchType="FARGATE", count=1,
            networkConfiguration=network, overrides={"containerOverrides": [override]}, startedBy="delivery",
        )  # fmt: skip
        if started["failures"] or not started["tasks"]:
            raise DeliveryFailed(f"{revision} did not start: {started['failures']}")
        arn = str(started["tasks"][0]["taskArn"])
        say(f"Started {arn}")
        return arn

    def end_task(self, arn: str, revision: str, seconds: float) -> None:
        """The second half of `run_task`."""
        task = self._ended(arn, seconds)
        codes = {container["name"]: container.get("exitCode") for container in task["containers"]}
        if not codes or any(code != 0 for code in codes.values()):
            why = task.get("stoppedReason") or "no reason given"
            reasons = [c["reason"] for c in task["containers"] if c.get("reason")]
            raise DeliveryFailed(f"{revision} ended with {codes}: {'; '.join([why, *reasons])}")
        say(f"{revision} ended with {codes}")

    def log_of(self, arn: str, revision: str) -> tuple[str, str]:
        """Log group and stream of a task's first container, which awslogs writes to.

        Raises:
            DeliveryFailed: the task definition names no such log.
        """
        container = self._container(revision)
        options = container.get("logConfiguration", {}).get("options", {})
        if not {"awslogs-group", "awslogs-stream-prefix"} <= options.keys():
            raise DeliveryFailed(f"{revision} has no log in CloudWatch.")
        task = arn.rpartition("/")[2]
        return options["awslogs-group"], f"{options['awslogs-stream-prefix']}/{container['name']}/{task}"

    def _first_container(self, revision: str) -> str:
        return str(self._container(revision)["name"])

    def _container(self, revision: str) -> dict[str, Any]:
        described = self._ecs.describe_task_definition(taskDefinition=revision)
        found: dict[str, Any] = described["taskDefinition"]["containerDefinitions"][0]
        return found

    def _ended(self, arn: str, seconds: float) -> dict[str, Any]:
        deadline = self._clock.now() + seconds
        pause = _FIRST_LOOK_SECONDS
        while self._clock.now() < deadline:
            described = self._ecs.describe_tasks(cluster=self.name, tasks=[arn])["tasks"]
            if described and described[0]["lastStatus"] == "STOPPED":
                task: dict[str, Any] = described[0]
                return task
            self._clock.pause(pause)
            pause = min(2 * pause, _LOOK_SECONDS)
        self._ecs.stop_task(cluster=self.name, task=arn, reason="It took too long.")
        raise DeliveryFailed(f"{arn} did not end within {seconds:.0f} seconds; it was told to stop.")

    def update(self, service: str, revision: str) -> None:
        """Has a service go over to a revision; `settle` waits for it."""
        self._ecs.update_service(cluster=self.name, service=service, taskDefinition=revision)

    def settle(self, service: str, revision: str, seconds: float) -> None:
        """Waits until a service runs this revision and no other.

        Raises:
            DeliveryFailed: ECS gave the deployment up, or went back by itself, or it took too long.
        """
        deadline = self._clock.now() + seconds
        while True:
            deployments = self.service(service)["deployments"]
            primary = next((d for d in deployments if d["status"] == "PRIMARY"), None)
            of_this = [d for d in deployments if d["taskDefinition"] == revision]
            failed = next((d for d in of_this if d.get("rolloutState") == "FAILED"), None)
            if failed is not None:
                raise DeliveryFailed(
                    f"{service}: {failed.get('rolloutStateReason', 'the deployment failed')}"
                )
            if primary is None or primary["taskDefinition"] != revision:
                raise DeliveryFailed(f"{service} has gone back to another revision than {revision}.")
            running = primary["runningCount"] >= primary["desiredCount"] and len(deployments) == 1
            if running and primary.get("rolloutState") == "COMPLETED":
                return
            if self._clock.now() >= deadline:
                raise DeliveryFailed(f"{service} did not settle on {revision} within {seconds:.0f} seconds.")
            self._clock.pause(_LOOK_SECONDS)

    def start_canary(self, service: str, revision: str) -> str:
        """One task of a revision beside a service, behind the same load balancer; answers its service's name."""
        name = f"{service}-canary"
        self.end_canary(name)  # of a pipeline that was cut off
        base = self.service(service)
        self._ecs.create_service(
            cluster=self.name, serviceName=name, taskDefinition=revision, desiredCount=1,
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
            **{key: base[key] for key in _ALIKE if base.get(key)},
        )  # fmt: skip
        return name

    def end_canary(self, name: str, seconds: float = 600.0) -> None:
        """Takes a canary away, if there is one, and waits until its name is free."""
        if self._service(name) is None:
            return
        self._ecs.update_service(cluster=self.name, service=name, desiredCount=0)
        self._ecs.delete_service(cluster=self.name, service=name, force=True)
        deadline = self._clock.now() + seconds
        while self._clock.now() < deadline:
            described = self._ecs.describe_services(cluster=self.name, services=[name])["services"]
            if all(service["status"] == "INACTIVE" for service in described):
                return
            self._clock.pause(_LOOK_SECONDS)
        raise DeliveryFailed(f"The canary {name} is still there after {seconds:.0f} seconds.")
