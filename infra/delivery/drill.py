"""The restore drill: a copy of the database from its backup, looked at from inside, and removed.

A backup that nobody has restored is a hope. The copy gets the source's network, key and parameters, one small
instance, and a task of ours that connects as the owner and looks (`invokeai-saas admin restored`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3

from infra.delivery.common import Clock, DeliveryFailed, say
from infra.delivery.ecs import Cluster

_LOOK_SECONDS = 30.0


@dataclass(frozen=True)
class Drill:
    """What is tried.

    Parameters:
        source: identifier of the Aurora cluster.
        family: task definition that holds DATABASE_OWNER_URL.
        network: in which that task reaches the database.
        restore_seconds: that the copy may take to be available.
        age_seconds: that the newest row of the copy may be old.
    """

    source: str
    family: str
    network: dict[str, Any]
    restore_seconds: float = 5400.0
    age_seconds: float = 3600.0

    @property
    def copy(self) -> str:
        return f"{self.source}-drill"


def run_drill(drill: Drill, cluster: Cluster, clock: Clock | None = None) -> None:
    """Restores to the latest possible moment, looks, and removes the copy whatever came of it.

    Raises:
        DeliveryFailed: it could not be restored in time, or what was restored is not whole.
    """
    clock = clock or Clock()
    databases = _Databases(clock)
    databases.remove(drill.copy)  # of a drill that was cut off
    started = clock.now()
    try:
        host = databases.restore(drill)
        say(f"Restored {drill.source} in {clock.now() - started:.0f} seconds")
        command = ["invokeai-saas", "admin", "restored", "--host", host, "--age", f"{drill.age_seconds:.0f}"]
        cluster.run_task(drill.family, drill.network, command=command, seconds=900.0)
    finally:
        databases.remove(drill.copy)
    say(f"The backup of {drill.source} can be restored; all of it took {clock.now() - started:.0f} seconds")


class _Databases:
    """Aurora, as the drill needs it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rds: Any = boto3.client("rds")

    def restore(self, drill: Drill) -> str:
        """Makes the copy; answers the host that it listens at."""
        source = self._cluster(drill.source)
        if source is None:
            raise DeliveryFailed(f"There is no Aurora cluster {drill.source}.")
        wanted: dict[str, Any] = {
            "DBClusterIdentifier": drill.copy,
            "SourceDBClusterIdentifier": drill.source,
            "UseLatestRestorableTime": True,
            "DBSubnetGroupName": source["DBSubnetGroup"],
            "VpcSecurityGroupIds": [group["VpcSecurityGroupId"] for group in source["VpcSecurityGroups"]],
            "DeletionProtection": False,
            "Tags": [{"Key": "Purpose", "Value": "restore-drill"}],
        }
        if source.get("KmsKeyId"):
            wanted["KmsKeyId"] = source["KmsKeyId"]
        if source.get("DBClusterParameterGroup"):
            wanted["DBClusterParameterGroupName"] = source["DBClusterParameterGroup"]
        wanted["ServerlessV2ScalingConfiguration"] = {"MinCapacity": 0.5, "MaxCapacity": 4.0}
        self._rds.restore_db_cluster_to_point_in_time(**wanted)
        self._rds.create_db_instance(
            DBInstanceIdentifier=f"{drill.copy}-1",
            DBClusterIdentifier=drill.copy,
            DBInstanceClass="db.serverless",
            Engine=source["Engine"],
            PubliclyAccessible=False,
        )
        self._until(
            lambda: self._available(drill.copy), drill.restore_seconds, f"{drill.copy} is not available"
        )
        copy = self._cluster(drill.copy)
        assert copy is not None  # it has just been available
        return str(copy["Endpoint"])

    def remove(self, name: str) -> None:
        """Deletes a copy with its instance and waits until both are gone. It is no error that there is none."""
        if self._instance(f"{name}-1") is not None:
            self._rds.delete_db_instance(DBInstanceIdentifier=f"{name}-1", SkipFinalSnapshot=True)
            self._until(lambda: self._instance(f"{name}-1") is None, 3600.0, f"{name}-1 is still there")
        if self._cluster(name) is not None:
            self._rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
            self._until(lambda: self._cluster(name) is None, 3600.0, f"{name} is still there")

    def _available(self, name: str) -> bool:
        cluster, instance = self._cluster(name), self._instance(f"{name}-1")
        return (
            cluster is not None
            and instance is not None
            and cluster["Status"] == instance["DBInstanceStatus"] == "available"
        )

    def _cluster(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
        except self._rds.exceptions.DBClusterNotFoundFault:
            return None
        return found

    def _instance(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][
                0
            ]
        except self._rds.exceptions.DBInstanceNotFoundFault:
            return None
        return found

    def _until(self, done: Callable[[], bool], seconds: float, otherwise: str) -> None:
        deadline = self._clock.now() + seconds
        while not done():
            if self._clock.now() >= deadline:
                raise DeliveryFailed(f"{otherwise} after {seconds:.0f} seconds.")
            self._clock.pause(_LOOK_SECONDS)
