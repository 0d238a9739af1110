"""Revisions by digest, and tasks whose exit codes count."""

from __future__ import annotations

import pytest

from infra.delivery.common import DeliveryFailed
from infra.delivery.ecs import Cluster, by_repository
from tests.delivery.world import CLUSTER, World, image


@pytest.fixture
def cluster(world: World) -> Cluster:
    return Cluster(CLUSTER, world)


def test_images_are_named_by_digest_or_refused() -> None:
    assert by_repository([image(1)]) == {"invokeai-api": image(1)}
    for tag in ("registry/invokeai-api:latest", "registry/invokeai-api", "invokeai-api@sha256:12"):
        with pytest.raises(DeliveryFailed, match="digest"):
            by_repository([tag])


def test_a_revision_is_like_the_one_before_but_for_its_image(world: World, cluster: Cluster) -> None:
    before = world.make_family("migrate", 1)
    after = cluster.revision(before, {"invokeai-api": image(2)})
    old, new = (
        world.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"] for arn in (before, after)
    )
    assert new["revision"] == old["revision"] + 1
    assert new["containerDefinitions"][0].pop("image") == image(2)
    assert old["containerDefinitions"][0].pop("image") == image(1)
    for key in ("containerDefinitions", "cpu", "memory", "executionRoleArn", "taskRoleArn", "networkMode"):
        assert new[key] == old[key]
    assert cluster.revision(after, {"invokeai-api": image(2)}) == after  # no revision for nothing
    with pytest.raises(DeliveryFailed, match="No container"):
        cluster.revision(before, {"another": image(2, "another")})


def test_a_task_that_ends_with_0_is_well(world: World, cluster: Cluster) -> None:
    cluster.run_task(world.make_family("migrate", 1), world.network, seconds=600)
    assert [task.last_status for task in world.tasks()] == ["STOPPED"]


@pytest.mark.parametrize("code", [1, 137, None])
def test_a_task_that_ends_otherwise_is_not(world: World, cluster: Cluster, code: int | None) -> None:
    """None: the container never ran, as when its image is not to be had."""
    world.exit_codes[image(1)] = code
    with pytest.raises(DeliveryFailed, match=f"ended with .*{code}"):
        cluster.run_task(world.make_family("migrate", 1), world.network, seconds=600)


def test_a_task_that_takes_too_long_is_stopped(world: World, cluster: Cluster) -> None:
    with pytest.raises(DeliveryFailed, match="did not end"):
        cluster.run_task(world.make_family("migrate", 1), world.network, seconds=5)


def test_a_command_and_variables_of_ones_own(world: World, cluster: Cluster) -> None:
    cluster.run_task(
        world.make_family("migrate", 1), world.network, command=["true"], environment={"A": "b"}, seconds=600
    )
    (override,) = [task.overrides["containerOverrides"][0] for task in world._backend.tasks[CLUSTER].values()]
    assert override == {"name": "migrate", "command": ["true"], "environment": [{"name": "A", "value": "b"}]}


def test_a_service_that_is_not_there_is_named(world: World, cluster: Cluster) -> None:
    world.make_service("api", 1)
    with pytest.raises(DeliveryFailed, match="no service other"):
        cluster.service("other")
