"""What stands in for an account while the commands of docs/deploy.md are run: moto's server, whose ECS runs a task's
command as a process here, on a PostgreSQL that knows nothing yet; and the few calls that moto has not.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psycopg
from moto.ecs.models import EC2ContainerServiceBackend
from moto.moto_api import state_manager
from psycopg import sql

from invokeai_saas.embedded.servers import Addresses

REGION, ACCOUNT, CLUSTER = "ap-northeast-2", "123456789012", "invokeai-dev"
BUCKET, PUBLIC_URL = f"invokeai-saas-{ACCOUNT}-dev", "https://dev.invokeai.example.com"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
STACK = Path("infra/terraform/modules/stack").resolve()
HOST = "database.invokeai.internal"  # what the stand-in's outputs call database and cache
_KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
_ENGINE = Path(".venv-engine/bin/python").absolute()
# Calls that moto has not, answered as AWS would; what they are given is kept.
_SHIM = """#!/usr/bin/env bash
case "$1 $2" in
"cloudfront-keyvaluestore describe-key-value-store") echo ETAG1 ;;
"cloudfront-keyvaluestore put-key") for last; do :; done; cp "${last#file://}" "$KEPT/key" ;;
"elasticache modify-user-group") echo "$*" >"$KEPT/user-group" ;;
*) exec "$REAL_AWS" "$@" ;;
esac
"""


def families() -> dict[str, tuple[str, str]]:
    """Task definitions that Terraform makes, each with its names in the maps of settings and of secrets."""
    text = (STACK / "processes.tf").read_text()
    found = {}
    for module in re.split(r"^module ", text, flags=re.MULTILINE)[1:]:
        # Processes that run on are told the names of their secrets; tasks are given the values.
        names = [
            re.search(rf"^  (?:{key})\s+= .*?{kind}(\w[\w-]*)", module, re.MULTILINE)
            for key, kind in (
                ("family", '"'),
                ("environment", r"local\.settings\."),
                ("environment|secrets", r"local\.(?:named_secrets|secret_arns)\."),
            )
        ]
        if names[0] and names[1] and names[2]:
            found[names[0][1]] = (names[1][1], names[2][1])
    return found


def pipeline_variables() -> list[str]:
    """Names that the output `pipeline` has."""
    text = (STACK / "outputs.tf").read_text().partition('output "pipeline"')[2]
    return re.findall(r"^    ([A-Z_]+) +=", text, re.MULTILINE)


def command_of(family: str) -> list[str]:
    """A task's command, as Terraform's code has it."""
    text = (STACK / "processes.tf").read_text().partition(f'"{family}"')[2]
    said = re.search(r"command\s+= (\[.*?\n?\s*\])(?:\)\])?\n\s+cpu", text, re.DOTALL)
    assert said is not None, family
    if "join(" not in said[1]:
        words: list[str] = json.loads(said[1])
        return words
    lines = [json.loads(line.strip().rstrip(",")) for line in said[1].splitlines()[1:-1]]
    return ["python", "-c", "\n".join(lines)]


def _block(map_name: str, process: str) -> str:
    """What Terraform's code gives a process, in the map of settings or of secrets."""
    text = (STACK / "settings.tf").read_text().partition(f"\n  {map_name} = {{")[2]
    said = re.search(rf"^    {process} += (.*?)(?=^    (?:\w+ +=|#)|^  \}})", text, re.MULTILINE | re.DOTALL)
    assert said is not None, process
    return said[1]


def settings_of(process: str) -> set[str]:
    """Names of a process's settings that are no secrets."""
    block = _block("settings", process)
    shared = (STACK / "settings.tf").read_text().partition("\n  shared = {")[2].partition("\n  }")[0]
    return set(
        re.findall(
            r"([A-Z][A-Z0-9_]+) +=", block + (shared if re.search(r"local\.shared\b(?!\.)", block) else "")
        )
    )


def secrets_of(process: str) -> dict[str, str]:
    """Its secrets: setting, and the name in Secrets Manager."""
    return dict(re.findall(r'([A-Z][A-Z0-9_]+) += "([a-z-]+)"', _block("secrets_of", process)))


FAMILIES = families()
SECRETS = re.findall(
    r'"([a-z-]+)"',
    (STACK / "settings.tf").read_text().partition("secret_names = toset([")[2].partition("])")[0],
)


class Account:
    """An account that is empty but for what tests put there.

    Parameters:
        url: of moto's server, which runs in this process.
        servers: PostgreSQL and Redis of this account.
        folder: for what it keeps.
    """

    def __init__(self, url: str, servers: Addresses, folder: Path) -> None:
        self.url, self.folder, self._servers = url, folder, servers
        self._admin = secrets.token_urlsafe(12)
        (folder / "bin").mkdir(parents=True)
        shim = folder / "bin" / "aws"
        shim.write_text(_SHIM)
        shim.chmod(0o755)

    def client(self, service: str) -> Any:
        keys = {name.lower(): value for name, value in _KEYS.items()}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **keys)

    def environment(self) -> dict[str, str]:
        """Of a shell whose AWS this account is."""
        real = shutil.which("aws")
        assert real is not None
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        return {
            **kept, **_KEYS, "AWS_ENDPOINT_URL": self.url, "REAL_AWS": real, "KEPT": str(self.folder),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }  # fmt: skip

    def make_database(self) -> None:
        """As Aurora has it: a master user that is no superuser, and an empty database."""
        with psycopg.connect(self._master("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE ROLE invokeai_admin LOGIN CREATEROLE CREATEDB PASSWORD {}").format(
                    sql.Literal(self._admin)
                )
            )
            connection.execute("CREATE DATABASE aurora OWNER invokeai_admin")

    def _master(self, database: str) -> str:
        at = self._servers
        return (
            at.postgres_url(at.superuser, at.superuser_password, "postgresql").rpartition("/")[0]
            + f"/{database}"
        )

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the service's database, as its superuser sees them."""
        with psycopg.connect(self._master("aurora")) as connection:
            return connection.execute(statement.encode()).fetchall()

    def here(self, text: str) -> str:
        """Addresses of the private network, as they are on this machine: other ports and no TLS."""
        at = self._servers
        text = re.sub(r":5432/invokeai\?ssl(mode)?=require", f":{at.postgres_port}/aurora", text)
        text = re.sub(rf"rediss://\S+@{HOST}:6379/0", at.redis_url, text)
        return text.replace(HOST, at.postgres_host)

    def variables(self, process: str) -> dict[str, str]:
        """What Terraform gives a process: settings that mean something here, and each secret."""
        values = {
            "DEPLOYMENT_MODE": "saas", "LOG_LEVEL": "info", "AWS_REGION": REGION, "S3_BUCKET": BUCKET,
            "PUBLIC_URL": PUBLIC_URL, "MODEL_DIR": str(self.folder / "models"), "HOME": str(self.folder / "home"),
            "DATA_DIR": str(self.folder / "data"), "HOST": "127.0.0.1",
        }  # fmt: skip
        return {name: values[name] for name in settings_of(process) & values.keys()}

    def secrets(self, process: str) -> dict[str, str]:
        """Settings of a process that are secrets, with what infra/secrets has put there."""
        manager = self.client("secretsmanager")
        return {
            setting: self.here(manager.get_secret_value(SecretId=f"invokeai/dev/{name}")["SecretString"])
            for setting, name in secrets_of(process).items()
        }

    def register_tasks(self, services: Iterable[str]) -> tuple[str, str]:
        """Task definitions as Terraform's code has them, as far as running once needs them, and services.

        Answers a subnet and a security group.
        """
        ecs, logs, ec2 = self.client("ecs"), self.client("logs"), self.client("ec2")
        ecs.create_cluster(clusterName=CLUSTER)
        for family in FAMILIES:
            logs.create_log_group(logGroupName=f"/ecs/{family}")
            options = {
                "awslogs-group": f"/ecs/{family}", "awslogs-region": REGION,
                "awslogs-stream-prefix": family.removeprefix("invokeai-"),
            }  # fmt: skip
            container = {
                "name": family, "image": f"{REGISTRY}/image@sha256:{0:064x}", "cpu": 512, "memory": 1024,
                "command": command_of(family),
                "logConfiguration": {"logDriver": "awslogs", "options": options},
            }  # fmt: skip
            ecs.register_task_definition(
                family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="512", memory="1024",
                containerDefinitions=[container],
            )  # fmt: skip
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        for name in services:
            ecs.create_service(cluster=CLUSTER, serviceName=name, taskDefinition=name, desiredCount=1)
        return subnet, group

    def distribution(self) -> str:
        """A distribution of CloudFront; answers its id."""
        origin = {
            "Id": "page",
            "DomainName": "page.s3.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        behaviour = {
            "TargetOriginId": "page", "ViewerProtocolPolicy": "redirect-to-https", "MinTTL": 0,
            "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        }  # fmt: skip
        made = self.client("cloudfront").create_distribution(
            DistributionConfig={
                "CallerReference": "1", "Comment": "", "Enabled": True, "DefaultCacheBehavior": behaviour,
                "Origins": {"Quantity": 1, "Items": [origin]},
            }
        )  # fmt: skip
        return str(made["Distribution"]["Id"])

    @staticmethod
    def keys() -> dict[str, str]:
        """Of the account, as a process's environment."""
        return dict(_KEYS)

    def run(self, family: str, command: list[str], task: str) -> int:
        """A task's container as a process of this machine; what it prints goes to its log. Answers its exit code."""
        settings, given_secrets = FAMILIES[family]
        given = self.variables(settings) | self.secrets(given_secrets)
        if family == "invokeai-roles":
            given |= {"DATABASE_HOST": self._servers.postgres_host, "DATABASE_ADMIN_PASSWORD": self._admin}
        python = str(_ENGINE) if family == "invokeai-models" else sys.executable
        program = {"invokeai-saas": [python, "-m", "invokeai_saas"], "python": [python]}[command[0]]
        done = subprocess.run(
            [*program, *(self.here(word) for word in command[1:])],
            env={
                **_KEYS, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "S3_ENDPOINT_URL": self.url,
                "PYTHONPATH": str(Path("src").resolve()), "ENGINE_PYTHON": python, **given,
            },
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120,
        )  # fmt: skip
        self._log(f"/ecs/{family}", f"{family.removeprefix('invokeai-')}/{family}/{task}", done.stdout)
        return done.returncode

    def _log(self, group: str, stream: str, text: str) -> None:
        logs = self.client("logs")
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in text.splitlines() if line.strip()]
        if events:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def _live(account: Account, task: Any) -> None:
    """A task's life, from its container's start to its exit code."""
    (override,) = task.overrides["containerOverrides"]
    family = override["name"]
    code = 255
    try:
        code = account.run(family, override.get("command") or command_of(family), task.id)
    finally:
        task.containers[0].exitCode = code
        task.status = "STOPPED"


@contextmanager
def tasks_that_run(account: Account) -> Iterator[None]:
    """While this lasts, moto's ECS runs what a task is told, and says how it ended."""
    moto_run = EC2ContainerServiceBackend.run_task
    pool = ThreadPoolExecutor(thread_name_prefix="fargate")

    def run_task(backend: EC2ContainerServiceBackend, *args: Any, **options: Any) -> Any:
        tasks = moto_run(backend, *args, **options)
        for task in tasks:
            pool.submit(_live, account, task)
        return tasks

    EC2ContainerServiceBackend.run_task = run_task  # type: ignore[assignment, method-assign]
    # moto would end them by itself, once they are described often enough.
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1_000_000})
    try:
        yield
    finally:
        pool.shutdown()
        EC2ContainerServiceBackend.run_task = moto_run  # type: ignore[method-assign]
        state_manager.unset_transition("ecs::task")
