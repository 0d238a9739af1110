"""Secrets at AWS: read at start, noticed when they change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import pytest

from invokeai_saas.awssecrets import SecretWatch, with_secrets
from invokeai_saas.embedded.ports import free_port
from invokeai_saas.errors import SetupError
from invokeai_saas.settings import Settings
from tests.aws import Aws
from tests.edge.world import troubled


@pytest.fixture
def name(aws: Aws) -> str:
    """A secret that is there."""
    name = f"invokeai/test/{uuid4().hex}"
    aws.client("secretsmanager").create_secret(Name=name, SecretString="first")
    return name


def _named(aws: Aws, **values: object) -> Settings:
    return Settings.model_validate({**aws.settings(), "secrets_check_seconds": 0.1, **values})


def test_what_is_named_is_read_and_the_rest_stays(aws: Aws, name: str) -> None:
    read = with_secrets(_named(aws, database_url=f"aws-secret:{name}", contact_email="we@example.com"))
    assert read.database_url.get_secret_value() == "first"
    assert read.contact_email == "we@example.com"
    assert "first" not in repr(read)


def test_one_value_of_a_json_object(aws: Aws) -> None:
    name = f"invokeai/test/{uuid4().hex}"
    value = json.dumps({"username": "ada", "password": "pw"})
    aws.client("secretsmanager").create_secret(Name=name, SecretString=value)
    assert (
        with_secrets(_named(aws, redis_url=f"aws-secret:{name}#password")).redis_url.get_secret_value()
        == "pw"
    )
    with pytest.raises(SetupError, match="host") as caught:
        with_secrets(_named(aws, redis_url=f"aws-secret:{name}#host"))
    assert "pw" not in str(caught.value)


def test_settings_without_secrets_ask_nobody() -> None:
    settings = Settings.model_validate({"aws_endpoint_url": f"http://127.0.0.1:{free_port()}"})
    assert with_secrets(settings) is settings


def test_a_secret_that_is_not_there_stops_the_start(aws: Aws) -> None:
    with pytest.raises(SetupError, match=r"invokeai/none cannot be read: ResourceNotFoundException"):
        with_secrets(_named(aws, database_url="aws-secret:invokeai/none"))


def test_a_changed_secret_is_noticed_once(aws: Aws, name: str) -> None:
    named = _named(aws, database_url=f"aws-secret:{name}")
    noticed = threading.Semaphore(0)
    watch = SecretWatch(named, with_secrets(named), noticed.release)
    watch.start()
    assert not noticed.acquire(timeout=0.5)
    aws.client("secretsmanager").put_secret_value(SecretId=name, SecretString="second")
    assert noticed.acquire(timeout=120)
    assert not noticed.acquire(timeout=0.5)
    watch.close()


def test_a_secret_that_cannot_be_read_any_more_ends_nothing(aws: Aws, name: str) -> None:
    named = _named(aws, database_url=f"aws-secret:{name}")
    read, noticed = with_secrets(named), threading.Semaphore(0)
    gone = named.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{free_port()}"})
    watch = SecretWatch(gone, read, noticed.release)
    watch.start()
    assert not noticed.acquire(timeout=1)
    watch.close()


def test_an_answer_that_is_lost_ends_no_watch(aws: Aws, name: str) -> None:
    named = _named(aws, database_url=f"aws-secret:{name}")
    read, noticed = with_secrets(named), threading.Semaphore(0)
    with troubled(aws, *["lost"] * 4) as way:  # the library asks twice each time
        watch = SecretWatch(named.model_copy(update={"aws_endpoint_url": way}), read, noticed.release)
        watch.start()
        aws.client("secretsmanager").put_secret_value(SecretId=name, SecretString="second")
        assert noticed.acquire(timeout=120)
        watch.close()


def test_a_process_ends_as_told_when_its_secret_changes(aws: Aws, name: str, tmp_path: Path) -> None:
    """TERM, which all of ours take for the wish to finish what is in hand and go."""
    program = (
        "import signal, sys, time\n"
        "from invokeai_saas.awssecrets import watch_secrets\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "watch_secrets()\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    variables = {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "SECRETS_CHECK_SECONDS": "0.1",
        "STRIPE_SECRET_KEY": f"aws-secret:{name}",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, **variables}, stdout=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    aws.client("secretsmanager").put_secret_value(SecretId=name, SecretString="second")
    assert process.wait(120) == 7
    process.stdout.close()
