"""The restore drill, against moto's Aurora: what it restores, what it looks at, and that it leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.rds.models import rds_backends

from infra.delivery.common import DeliveryFailed
from infra.delivery.drill import Drill, run_drill
from infra.delivery.ecs import Cluster
from tests.delivery.world import CLUSTER, REGION, World, image

_SOURCE = "invokeai-staging-db"


@pytest.fixture
def rds(world: World) -> Iterator[Any]:
    client = boto3.client("rds")
    subnets = [s["SubnetId"] for s in boto3.client("ec2").describe_subnets()["Subnets"][:2]]
    client.create_db_subnet_group(
        DBSubnetGroupName="data", DBSubnetGroupDescription="data", SubnetIds=subnets
    )
    client.create_db_cluster(
        DBClusterIdentifier=_SOURCE, Engine="aurora-postgresql", MasterUsername="master",
        MasterUserPassword="a-long-password", DBSubnetGroupName="data", DeletionProtection=True,
    )  # fmt: skip
    yield client
    client.modify_db_cluster(DBClusterIdentifier=_SOURCE, DeletionProtection=False)


def _drill(world: World) -> Drill:
    return Drill(_SOURCE, world.make_family("invokeai-migrate", 1), world.network)


def _clusters(rds: Any) -> list[str]:
    return [cluster["DBClusterIdentifier"] for cluster in rds.describe_db_clusters()["DBClusters"]]


def test_a_copy_is_restored_looked_at_and_removed(world: World, rds: Any) -> None:
    run_drill(_drill(world), Cluster(CLUSTER, world), world)
    (task,) = world.tasks()
    (override,) = task.overrides["containerOverrides"]
    assert override["command"][:4] == ["invokeai-saas", "admin", "restored", "--host"]
    assert override["command"][4].startswith(f"{_SOURCE}-drill.")
    assert _clusters(rds) == [_SOURCE]
    assert rds.describe_db_instances()["DBInstances"] == []


def test_a_copy_that_is_not_whole_fails_and_is_removed_too(world: World, rds: Any) -> None:
    world.exit_codes[image(1)] = 1
    with pytest.raises(DeliveryFailed, match="ended with"):
        run_drill(_drill(world), Cluster(CLUSTER, world), world)
    assert _clusters(rds) == [_SOURCE]


def test_what_a_drill_that_was_cut_off_left_is_removed_first(world: World, rds: Any) -> None:
    rds.create_db_cluster(
        DBClusterIdentifier=f"{_SOURCE}-drill", Engine="aurora-postgresql", MasterUsername="master",
        MasterUserPassword="a-long-password", DBSubnetGroupName="data",
    )  # fmt: skip
    # Moto keeps the snapshot that AWS removes with its cluster, and names it by the minute.
    rds_backends[DEFAULT_ACCOUNT_ID][REGION].cluster_snapshots.clear()
    run_drill(_drill(world), Cluster(CLUSTER, world), world)
    assert _clusters(rds) == [_SOURCE]


def test_a_source_that_is_not_there_is_named(world: World) -> None:
    with pytest.raises(DeliveryFailed, match="no Aurora cluster"):
        run_drill(_drill(world), Cluster(CLUSTER, world), world)
