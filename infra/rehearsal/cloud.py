"""AWS's stand-in, and what it still has when everything should be gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.aws import Aws, aws_server

# What costs money or holds data, had it been forgotten: service, operation, where the names are, the name.
_LOOKED_AT = (
    ("s3", "list_buckets", "Buckets", "Name"),
    ("sqs", "list_queues", "QueueUrls", None),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("rds", "describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
    ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("efs", "describe_file_systems", "FileSystems", "FileSystemId"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("route53", "list_hosted_zones", "HostedZones", "Name"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("iam", "list_roles", "Roles", "RoleName"),
)


def started(log: Path) -> AbstractContextManager[Aws]:
    """moto's server, with the policies that AWS manages."""
    return aws_server(log, {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"})


def leftovers(aws: Aws) -> Iterator[str]:
    """What is there although Terraform's state is empty."""
    for service, operation, field, name in _LOOKED_AT:
        found: list[Any] = getattr(aws.client(service), operation)().get(field, [])
        for one in found:
            yield f"left in moto: {service} {one[name] if name else one}"
