"""The service as it runs on AWS, from sign-up to picture: API, scheduler and worker as processes of their own, with S3,
SQS, Cognito, SES and Secrets Manager. AWS is moto's server; PostgreSQL and Redis are the suite's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.endtoend import Report, Visit, visit
from invokeai_saas.settings import Settings
from tests.apps import PASSWORD
from tests.aws import Aws
from tests.graphs import add_model
from tests.money import violations
from tests.processes import saas, wait_for
from tests.servers import TestDatabase
from tests.waiting import eventually

EMAIL, SENDER = "ada@example.com", "post@invokeai.example"
_SECRETS = (
    "database_url",
    "database_auth_url",
    "database_worker_url",
    "database_billing_url",
    "redis_url",
    "media_signing_key",
    "identity_secret",
    "issuer_key",
)


def _issuer_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _on_aws(database: TestDatabase, aws: Aws, folder: Path) -> Settings:
    """Settings of one deployment; what is secret in them lies in Secrets Manager."""
    port, bucket = free_port(), f"invokeai-{uuid4().hex[:8]}"
    aws.client("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"}
    )
    aws.client("sesv2").create_email_identity(EmailIdentity=SENDER)
    settings = database.settings(
        folder,
        **aws.settings(),
        **aws.queues(),
        **aws.user_pool(),
        deployment_mode="saas",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        s3_bucket=bucket,
        s3_endpoint_url=aws.url,
        mail_adapter="ses",
        mail_from=f"InvokeAI <{SENDER}>",
        ses_endpoint_url=aws.url,
        issuer_key=_issuer_key(),
        worker_engine="mock",
        heartbeat_seconds=0.5,
    )
    secrets = aws.client("secretsmanager")
    named = {}
    for field in _SECRETS:
        name = f"invokeai/{bucket}/{field.replace('_', '-')}"
        secrets.create_secret(Name=name, SecretString=getattr(settings, field).get_secret_value())
        named[field] = SecretStr(f"aws-secret:{name}")
    return settings.model_copy(update=named)


@dataclass
class Deployment:
    """What runs. Parameters: logs: where its processes write."""

    settings: Settings
    logs: Path

    @property
    def url(self) -> str:
        return self.settings.public_url

    async def visit(self, **account: str) -> Report:
        return await visit(Visit(self.url, seconds=90, **account), lambda _: None)


@pytest.fixture
def deployment(database: TestDatabase, aws: Aws, tmp_path: Path) -> Iterator[Deployment]:
    add_model(database)
    settings = _on_aws(database, aws, tmp_path)
    with _running(settings):
        yield Deployment(settings, tmp_path)


@contextmanager
def _running(settings: Settings) -> Iterator[None]:
    with ExitStack() as stack:
        for name in ("api", "scheduler", "worker"):
            stack.enter_context(saas(settings, name))
        wait_for(settings.public_url)
        yield


async def test_from_sign_up_to_picture(deployment: Deployment, aws: Aws, database: TestDatabase) -> None:
    report = await deployment.visit()  # a stranger signs up
    assert report.credits >= 1
    await _comes_back(deployment, aws)
    assert violations(database) == {}
    with psycopg.connect(database.url()) as connection:
        states = connection.execute("SELECT DISTINCT status FROM session_queue").fetchall()
        assert [status for (status,) in states] == ["completed"]
    sqs, url = aws.client("sqs"), deployment.settings.sqs_queue_urls["basic"]
    depth = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert depth["ApproximateNumberOfMessages"] == "0"
    assert _left_in(aws, deployment.settings.s3_bucket) == []  # the pictures were deleted by their people


async def _comes_back(deployment: Deployment, aws: Aws) -> None:
    """Signs up, confirms the address with Cognito's code, logs in with the password, and has a picture too."""
    async with httpx.AsyncClient(base_url=deployment.url, timeout=120) as ada:
        account = {"email": EMAIL, "password": PASSWORD}
        opened = await ada.post("/api/v1/auth/sign-up", json=account)
        assert opened.status_code == 201, opened.text
        assert (await ada.post("/api/v1/auth/login", json=account)).json()["code"] == "email_unconfirmed"
        confirmed = await ada.post("/api/v1/auth/verify-email", json={"token": "123456", "email": EMAIL})
        assert confirmed.status_code == 200, confirmed.text
    await deployment.visit(**account)

    async def welcomed() -> bool:
        async with httpx.AsyncClient(timeout=120) as client:
            sent = (await client.get(f"{aws.url}/moto-api/data.json")).json()["ses"].get("RawMessage", [])
        return any(EMAIL in str(mail["destinations"]) or EMAIL in mail["raw_data"] for mail in sent)

    await eventually(welcomed)


def _left_in(aws: Aws, bucket: str) -> list[str]:
    found = aws.client("s3").list_objects_v2(Bucket=bucket, Prefix="users/").get("Contents", [])
    return [str(entry["Key"]) for entry in found]
