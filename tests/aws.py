"""AWS of the suite: moto's server, as a process of its own or within the test's, and what tests make there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import httpx
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from invokeai_saas.embedded.ports import LOOPBACK, free_port

REGION = "ap-northeast-2"
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
TIERS = ("basic", "high_performance", "dedicated")
_numbers = count(1)


@dataclass(frozen=True)
class Aws:
    """Where it is. Its services are those that moto speaks."""

    url: str

    def client(self, service: str) -> Any:
        """AWS's own library on it."""
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **KEYS)

    def empty(self) -> None:
        """Forgets all that was made there."""
        httpx.post(f"{self.url}/moto-api/reset", timeout=120).raise_for_status()

    def settings(self) -> dict[str, Any]:
        """What a process needs to know to speak to it."""
        return {"aws_endpoint_url": self.url, "aws_region": REGION, **KEYS}

    def queues(self) -> dict[str, Any]:
        """Queues of every tier as infra/terraform/modules/queues makes them, as settings."""
        sqs, name = self.client("sqs"), f"t{next(_numbers)}"
        attributes = {
            "FifoQueue": "true",
            "ContentBasedDeduplication": "false",
            "DeduplicationScope": "messageGroup",
            "FifoThroughputLimit": "perMessageGroupId",
            "VisibilityTimeout": "60",
        }
        made = {}
        for tier in TIERS:
            answer = sqs.create_queue(QueueName=f"{name}-gpu-{tier}.fifo", Attributes=attributes)
            made[tier] = str(answer["QueueUrl"])
        return {"sqs_queue_urls": made}

    def user_pool(self) -> dict[str, str]:
        """A user pool and its client as infra/terraform/modules/cognito makes them, as settings."""
        cognito = self.client("cognito-idp")
        pool = cognito.create_user_pool(
            PoolName=f"pool{next(_numbers)}",
            UsernameAttributes=["email"],
            AutoVerifiedAttributes=["email"],
            UsernameConfiguration={"CaseSensitive": False},
            Policies={
                "PasswordPolicy": {
                    "MinimumLength": 12,
                    "RequireUppercase": False,
                    "RequireLowercase": False,
                    "RequireNumbers": False,
                    "RequireSymbols": False,
                }
            },
        )["UserPool"]["Id"]
        client = cognito.create_user_pool_client(
            UserPoolId=pool,
            ClientName="page",
            GenerateSecret=False,
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            PreventUserExistenceErrors="ENABLED",
            ReadAttributes=["email", "email_verified", "name"],
        )["UserPoolClient"]["ClientId"]
        return {"cognito_user_pool_id": str(pool), "cognito_client_id": str(client)}


@contextmanager
def aws_server(log: Path, environment: dict[str, str] | None = None) -> Iterator[Aws]:
    """Starts it on a free port, with environment variables of its own besides ours."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **(environment or {})}
        )
    url = f"http://{LOOPBACK}:{port}"
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=10), timeout=120) as client:
            client.get(f"{url}/moto-api/").raise_for_status()
        yield Aws(url)
    finally:
        process.terminate()
        process.wait(120)


@contextmanager
def aws_within() -> Iterator[Aws]:
    """moto's server in this process, for tests that reach into it.

    What it holds belongs to the process and not to the server, so it is emptied before and after.
    """
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    aws = Aws(f"http://{host}:{port}")
    try:
        aws.empty()
        yield aws
        aws.empty()
    finally:
        server.stop()
