"""A release: a canary first, then everything, and back to what ran before if anything is wrong.

The schema is not part of it. Migrations run before, as a task of their own, and are backward compatible by one release:
so going back never touches the database.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3

from infra.delivery.common import Clock, DeliveryFailed, say
from infra.delivery.ecs import Cluster

_HEALTH_PATH = "/api/v1/app/version"
_LOOK_SECONDS = 5.0
_TOLERATED = 1  # failed looks in a row: a target may be on its way out


@dataclass(frozen=True)
class Plan:
    """What a release is.

    Parameters:
        images: addresses by digest, by repository.
        canary: the service that one task goes ahead of; it is updated first.
        others: services that follow, in order.
        settle_seconds: that each may take.
        bake_seconds: that the canary, and at the end everything, must stay well.
    """

    images: dict[str, str]
    canary: str
    others: tuple[str, ...] = ()
    settle_seconds: float = 900.0
    bake_seconds: float = 300.0


class Health:
    """Whether people are served: our own address answers, and no alarm rings.

    Parameters:
        url: base URL of the deployment.
        alarms: names of CloudWatch alarms, of which none may be in ALARM.
    """

    def __init__(self, url: str, alarms: Sequence[str] = (), clock: Clock | None = None) -> None:
        self._url, self._alarms = url, list(alarms)
        self._clock = clock or Clock()
        self._cloudwatch: Any = boto3.client("cloudwatch") if alarms else None

    def watch(self, seconds: float) -> None:
        """Looks for so long.

        Raises:
            DeliveryFailed: it does not answer, or an alarm rings or does not exist.
        """
        deadline, failed = self._clock.now() + seconds, 0
        while True:
            problem = self._problem()
            failed = failed + 1 if problem else 0
            if problem and failed > _TOLERATED:
                raise DeliveryFailed(problem)
            self._look_at_alarms()
            if self._clock.now() >= deadline and not problem:
                return
            self._clock.pause(_LOOK_SECONDS)

    def _problem(self) -> str | None:
        url = f"{self._url}{_HEALTH_PATH}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return None if answer.status == 200 else f"{url} answered {answer.status}"
        except (urllib.error.URLError, OSError) as error:
            return f"{url}: {error}"

    def _look_at_alarms(self) -> None:
        if not self._alarms:
            return
        found = self._cloudwatch.describe_alarms(AlarmNames=self._alarms, AlarmTypes=["MetricAlarm"])[
            "MetricAlarms"
        ]
        missing = set(self._alarms) - {alarm["AlarmName"] for alarm in found}
        if missing:
            raise DeliveryFailed(f"There are no alarms named {', '.join(sorted(missing))}.")
        ringing = [alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"]
        if ringing:
            raise DeliveryFailed(f"Alarms ring: {', '.join(ringing)}")


@dataclass
class Release:
    """One release of one cluster.

    Parameters:
        health: asked after the canary and after each service.
    """

    cluster: Cluster
    plan: Plan
    health: Health
    _before: dict[str, str] = field(default_factory=dict)
    _touched: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Releases, or goes back.

        Raises:
            DeliveryFailed: something was wrong; what ran before runs again, or the message says that it does not.
        """
        services = (self.plan.canary, *self.plan.others)
        self._before = {name: str(self.cluster.service(name)["taskDefinition"]) for name in services}
        wanted = {
            name: self.cluster.revision(before, self.plan.images) for name, before in self._before.items()
        }
        if wanted == self._before:
            say("Everything runs these images already")
            return
        try:
            self._try_canary(wanted[self.plan.canary])
            for name in services:
                self._go_over(name, wanted[name])
            self.health.watch(self.plan.bake_seconds)
        except Exception as error:
            say(f"Going back: {error}")
            self._go_back()
            raise DeliveryFailed(f"Rolled back: {error}") from error
        say(f"Released {', '.join(self.plan.images.values())}")

    def _try_canary(self, revision: str) -> None:
        name = f"{self.plan.canary}-canary"
        try:
            say(f"Canary: one task of {revision}")
            self.cluster.start_canary(self.plan.canary, revision)
            self.cluster.settle(name, revision, self.plan.settle_seconds)
            self.health.watch(self.plan.bake_seconds)
            # It may have died since: its service then has another task, or none.
            self.cluster.settle(name, revision, 60.0)
        finally:
            self.cluster.end_canary(name)

    def _go_over(self, name: str, revision: str) -> None:
        if revision == self._before[name]:
            return
        say(f"{name} goes over to {revision}")
        self._touched.append(name)
        self.cluster.update(name, revision)
        self.cluster.settle(name, revision, self.plan.settle_seconds)
        self.health.watch(0)

    def _go_back(self) -> None:
        """All at once, then waits for each: people wait meanwhile."""
        for name in reversed(self._touched):
            say(f"{name} goes back to {self._before[name]}")
            self.cluster.update(name, self._before[name])
        problems = []
        for name in reversed(self._touched):
            try:
                self.cluster.settle(name, self._before[name], self.plan.settle_seconds)
            except DeliveryFailed as error:
                problems.append(str(error))
        if problems:
            raise DeliveryFailed(f"GOING BACK FAILED, somebody must look: {'; '.join(problems)}")
