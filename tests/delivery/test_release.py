"""A release goes over as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable

import boto3
import pytest

from infra.delivery.common import DeliveryFailed
from infra.delivery.ecs import Cluster
from infra.delivery.release import Health, Plan, Release
from tests.delivery.world import CLUSTER, World, image

OLD, NEW = image(1), image(2)


class Watched(Health):
    """Parameters: ill: tells whether people are badly served now."""

    def __init__(self, world: World, ill: Callable[[], bool] = lambda: False) -> None:
        super().__init__("https://example.invalid", clock=world)
        self._ill = ill

    def _problem(self) -> str | None:
        return "people are badly served" if self._ill() else None


@pytest.fixture
def services(world: World) -> World:
    world.make_service("api", 1, balanced=True)
    world.make_service("scheduler", 1)
    return world


def _release(world: World, health: Health) -> Release:
    plan = Plan({"invokeai-api": NEW}, "api", ("scheduler",), settle_seconds=120, bake_seconds=60)
    return Release(Cluster(CLUSTER, world), plan, health)


def test_a_canary_then_everything(services: World) -> None:
    seen: list[list[str]] = []

    def look() -> bool:
        seen.append(services.services())
        return False

    health = Watched(services, look)
    _release(services, health).run()
    assert services.running("api") == services.running("scheduler") == NEW
    assert Cluster(CLUSTER, services).image_of("api") == NEW
    assert services.log == [("api", NEW), ("scheduler", NEW)]
    assert seen[0] == ["api", "api-canary", "scheduler"]
    assert services.services() == ["api", "scheduler"]
    begun = len(services.log)
    _release(services, health).run()  # again: nothing to do
    assert len(services.log) == begun


def test_the_canary_stands_behind_the_same_load_balancer(services: World) -> None:
    cluster = Cluster(CLUSTER, services)
    revision = cluster.revision("api", {"invokeai-api": NEW})
    name = cluster.start_canary("api", revision)
    canary, base = cluster.service(name), cluster.service("api")
    assert canary["loadBalancers"] == base["loadBalancers"] != []
    assert canary["networkConfiguration"] == base["networkConfiguration"]
    assert canary["desiredCount"] == 1
    assert cluster.start_canary("api", revision) == name  # one that was left over is in nobody's way
    cluster.end_canary(name)
    assert services.services() == ["api", "scheduler"]


def test_a_broken_image_gets_no_further_than_the_canary(services: World) -> None:
    services.broken.add(NEW)
    with pytest.raises(DeliveryFailed, match="Rolled back"):
        _release(services, Watched(services)).run()
    assert services.log == []
    assert services.services() == ["api", "scheduler"]


def test_people_who_are_badly_served_by_the_canary_end_it(services: World) -> None:
    health = Watched(services, lambda: "api-canary" in services.services())
    with pytest.raises(DeliveryFailed, match="badly served"):
        _release(services, health).run()
    assert services.log == []
    assert services.services() == ["api", "scheduler"]


def test_what_goes_wrong_late_brings_everything_back(services: World) -> None:
    health = Watched(services, lambda: services.running("scheduler") == NEW)
    with pytest.raises(DeliveryFailed, match="Rolled back"):
        _release(services, health).run()
    assert services.log == [("api", NEW), ("scheduler", NEW), ("scheduler", OLD), ("api", OLD)]
    assert services.running("api") == services.running("scheduler") == OLD


def test_a_way_back_that_fails_is_said_loudly(services: World) -> None:
    def ill() -> bool:
        if services.running("scheduler") == NEW:
            services.broken.add(OLD)
            return True
        return False

    with pytest.raises(DeliveryFailed, match="GOING BACK FAILED"):
        _release(services, Watched(services, ill)).run()


def test_ecs_that_went_back_by_itself_is_noticed(services: World) -> None:
    """Its circuit breaker makes the former revision the primary one again."""
    cluster = Cluster(CLUSTER, services)
    before, revision = (
        str(cluster.service("api")["taskDefinition"]),
        cluster.revision("api", {"invokeai-api": NEW}),
    )
    cluster.update("api", revision)
    cluster.update("api", before)
    with pytest.raises(DeliveryFailed, match="gone back"):
        cluster.settle("api", revision, 60)


def test_an_alarm_that_rings_stops_it(services: World) -> None:
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors", Namespace="N", MetricName="M", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    health = Health("https://example.invalid", ["errors"], services)
    health._look_at_alarms()
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    with pytest.raises(DeliveryFailed, match="errors"):
        health._look_at_alarms()
    with pytest.raises(DeliveryFailed, match="no alarms named other"):
        Health("https://example.invalid", ["other"], services)._look_at_alarms()


def test_one_failed_look_is_no_reason_and_two_are(world: World) -> None:
    answers = iter([True, False, True, False, False])
    Watched(world, lambda: next(answers)).watch(20)
    with pytest.raises(DeliveryFailed, match="badly served"):
        Watched(world, lambda: True).watch(20)
