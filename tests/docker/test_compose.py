"""compose.yaml: one host, nothing but what each process needs, and only what `.env` is told to hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from invokeai_saas.errors import SetupError
from invokeai_saas.services import check_settings
from invokeai_saas.settings import Settings
from tests.docker.dockerfiles import ROOT, command, stages
from tests.servers import TestDatabase

TEXT = (ROOT / "compose.yaml").read_text()
SERVICES: dict[str, Any] = yaml.safe_load(TEXT)["services"]
_OWNER = "DATABASE_OWNER_URL"
_PROCESSES = ("api", "scheduler", "worker")
# As README's table "Process by process" has it; the reader's URL is the writer's where there is none.
_DATABASES = {
    "api": {"DATABASE_URL", "DATABASE_READER_URL", "DATABASE_AUTH_URL", "DATABASE_STAFF_URL"},
    "scheduler": {"DATABASE_WORKER_URL", "DATABASE_AUTH_URL", "DATABASE_BILLING_URL"},
    "worker": {"DATABASE_WORKER_URL"},
    "migrate": {_OWNER},
    "scan": {_OWNER},
    "library": set(),
    "roles": {
        f"DATABASE_{role}URL" for role in ("", "AUTH_", "STAFF_", "WORKER_", "BILLING_", "OWNER_", "ADMIN_")
    },
}


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_may_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert "privileged" not in service
    assert "docker.sock" not in TEXT


@pytest.mark.parametrize("name", _DATABASES)
def test_each_process_knows_only_its_own_roles(name: str) -> None:
    known = {key for key in SERVICES[name]["environment"] if key.startswith("DATABASE_")}
    assert known == _DATABASES[name]


def test_settings_are_settings() -> None:
    for service in SERVICES.values():
        unknown = {key for key in service["environment"] if key.lower() not in Settings.model_fields}
        assert unknown <= {"DATABASE_ADMIN_URL"}


def test_the_api_is_given_all_that_it_refuses_to_start_without() -> None:
    given = {key.lower(): "x" * 32 for key, value in SERVICES["api"]["environment"].items() if ":?" in value}
    check_settings(Settings.model_validate(given))
    for left_out in ("identity_secret", "media_signing_key", "database_auth_url"):
        with pytest.raises(SetupError):
            check_settings(Settings.model_validate({k: v for k, v in given.items() if k != left_out}))


def test_the_roles_are_given_a_password_each(database: TestDatabase) -> None:
    """The command itself, with what compose.yaml hands it and nothing else."""
    settings = database.settings(Path())
    given = {"DATABASE_ADMIN_URL": database.url()}
    for key in SERVICES["roles"]["environment"]:
        if key.lower() in Settings.model_fields:
            given[key] = getattr(settings, key.lower()).get_secret_value()
    asked = [sys.executable, "-m", "invokeai_saas", *SERVICES["roles"]["command"][1:]]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(asked, env=kept | given, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "The roles are there" in done.stdout


def test_what_is_written_lies_in_volumes() -> None:
    for name in _PROCESSES:
        image = stages(ROOT / SERVICES[name]["build"]["dockerfile"])[-1]
        mounted = {volume.removesuffix(":ro").rpartition(":")[2] for volume in SERVICES[name]["volumes"]}
        assert mounted == set(command(image.last("VOLUME")))


def test_commands_are_commands() -> None:
    for service in SERVICES.values():
        program, *words = service["command"]
        assert program == "invokeai-saas"
        asked = [sys.executable, "-m", "invokeai_saas", *words, "--help"]
        subprocess.run(asked, capture_output=True, check=True, timeout=120)


def test_images_are_ours_and_none_is_latest() -> None:
    for service in SERVICES.values():
        assert (ROOT / service["build"]["dockerfile"]).exists()
        assert re.fullmatch(r"\$\{(API|WORKER)_IMAGE:-invokeai-saas-[a-z-]+:local\}", service["image"])


def test_health_is_asked_as_the_images_ask_it() -> None:
    for name, check in (("api", "docker/Dockerfile.api"), ("worker", "docker/Dockerfile.gpu-worker")):
        asked = SERVICES[name]["healthcheck"]
        assert asked["test"] == ["CMD", *command(stages(ROOT / check)[-1].last("HEALTHCHECK"))]
        assert (asked["interval"], asked["timeout"], asked["retries"]) == ("30s", "5s", 3)


def test_a_stopping_worker_has_time_to_hand_its_job_back() -> None:
    seconds = int(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
    assert seconds >= Settings().drain_seconds + Settings().stop_grace_seconds


def test_the_example_names_every_variable_that_must_be_there() -> None:
    example = (ROOT / "docker" / "env.example").read_text()
    named = set(re.findall(r"^#?([A-Z0-9_]+)=", example, re.MULTILINE))
    assert set(re.findall(r"\$\{([A-Z0-9_]+):\?", TEXT)) <= named
    assert named <= set(re.findall(r"\$\{([A-Z0-9_]+)", TEXT))
