"""The containers' health checks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.health import EXPECTED, READY, main, workers_problem
from tests.apps import LiveApi


async def test_an_api_that_answers_is_well(live_api: LiveApi) -> None:
    port = live_api.url.rpartition(":")[2]
    done = await asyncio.to_thread(_asked, "api", {"PORT": port})
    assert (done.returncode, done.stderr) == (0, "")


def test_an_api_that_is_not_there_is_not() -> None:
    done = _asked("api", {"PORT": str(free_port())})
    assert done.returncode == 1
    assert "/api/v1/app/version" in done.stderr


def test_nothing_but_the_standard_library_is_loaded() -> None:
    """It starts every 30 seconds, on a part of a core."""
    script = "import sys, invokeai_saas.health; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    ours = {name for name in loaded.split() if name.startswith("invokeai_saas")}
    assert ours == {"invokeai_saas", "invokeai_saas.health"}
    assert not {"typer", "pydantic", "httpx", "rich"} & set(loaded.split())


def test_workers_are_well_when_all_are_ready(tmp_path: Path) -> None:
    folder = tmp_path / READY
    assert workers_problem(tmp_path) is not None
    folder.mkdir(parents=True)
    (folder / EXPECTED).write_text("2")
    (folder / "1").touch()
    assert workers_problem(tmp_path) == "1 of 2 workers are ready"
    (folder / "2").touch()
    assert workers_problem(tmp_path) is None


def test_a_worker_by_itself_is_well_when_it_is_ready(tmp_path: Path) -> None:
    sign = tmp_path / "ready"
    assert _asked("workers", {"WORKER_READY_FILE": str(sign)}).returncode == 1
    sign.touch()
    assert _asked("workers", {"WORKER_READY_FILE": str(sign)}).returncode == 0


@pytest.mark.parametrize("arguments", [[], ["other"], ["api", "workers"]])
def test_what_is_not_asked_rightly_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "api, workers" in capsys.readouterr().err


def _asked(what: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "invokeai_saas.health", what]
    env = {**os.environ, **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
