"""A worker for each GPU of a machine, started again when it dies, ended when all are told to."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from invokeai_saas.errors import SetupError
from invokeai_saas.health import READY, workers_problem
from invokeai_saas.local import LocalService
from invokeai_saas.settings import Settings
from invokeai_saas.worker.fleet import Fleet, gpus
from tests.processes import ChildProcess, environment
from tests.waiting import eventually

_CHILD = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
folder = pathlib.Path(sys.argv[1])
with (folder / "starts").open("a") as starts:
    starts.write(f"{os.environ.get('CUDA_VISIBLE_DEVICES')} {os.getpid()}\\n")
pathlib.Path(os.environ["WORKER_READY_FILE"]).touch()
time.sleep(60)
"""


def _driver(folder: Path, body: str) -> dict[str, str]:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return {"PATH": str(folder)}


def test_each_gpu_that_the_driver_lists_gets_a_worker(tmp_path: Path) -> None:
    listed = _driver(tmp_path, "echo GPU-1\necho GPU-2")
    assert gpus(listed) == ["GPU-1", "GPU-2"]
    assert gpus({**listed, "CUDA_VISIBLE_DEVICES": "3,5"}) == ["3", "5"]
    assert gpus({"PATH": str(tmp_path / "nothing")}) == [None]


def test_a_driver_that_does_not_answer_is_no_machine_without_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="driver"):
        gpus(_driver(tmp_path, "exit 9"))


@contextmanager
def _running(folder: Path, devices: list[str | None]) -> Iterator[Fleet]:
    fleet = Fleet(devices, folder, [sys.executable, "-c", _CHILD, str(folder)])
    thread = threading.Thread(target=fleet.run_until_stopped)
    thread.start()
    try:
        yield fleet
    finally:
        fleet.stop()
        thread.join(120)
        assert not thread.is_alive()


def _starts(folder: Path) -> list[tuple[str, int]]:
    file = folder / "starts"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(line.split()[0], int(line.split()[1])) for line in lines]


async def test_one_worker_a_gpu_and_a_dead_one_is_started_again(tmp_path: Path) -> None:
    with _running(tmp_path, ["0", "1"]):
        await eventually(lambda: workers_problem(tmp_path) is None)
        first = dict(_starts(tmp_path))
        assert set(first) == {"0", "1"}
        os.kill(first["1"], signal.SIGKILL)
        await eventually(lambda: workers_problem(tmp_path) is not None)
        await eventually(lambda: len(_starts(tmp_path)) == 3)
        assert _starts(tmp_path)[-1][0] == "1"  # of the same GPU
        await eventually(lambda: workers_problem(tmp_path) is None)
    for _, pid in _starts(tmp_path):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert workers_problem(tmp_path) is not None


async def test_each_worker_has_a_port_of_its_own_for_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_PORT", "9100")
    members = Fleet(["0", "1"], tmp_path, [])._members
    assert [member.environment["METRICS_PORT"] for member in members] == ["9100", "9101"]


async def test_the_command_with_real_workers(settings: Settings) -> None:
    """TERM goes through to the workers, which drain; then all of it ends."""
    env = {
        **environment(settings),
        "CUDA_VISIBLE_DEVICES": "0,1",
        "MODEL_DIR": str(settings.data_dir / "models"),
    }
    command = [sys.executable, "-m", "invokeai_saas", "workers", "--engine", "mock", "--fetch-models"]
    log = settings.data_dir / "workers.log"
    with ChildProcess(command, env, log):
        await eventually(lambda: workers_problem(settings.data_dir) is None)
    text = log.read_text()
    assert text.count("worker_ready") == text.count("worker_stopped") == 2
    assert "shared_models_fetched" in text
    assert [file.name for file in (settings.data_dir / READY).iterdir()] == ["expected"]


def test_processes_of_one_machine_have_ports_of_their_own_for_figures(settings: Settings) -> None:
    service = LocalService(settings.model_copy(update={"metrics_port": 9100}), workers=2)
    for name in ("api", "scheduler", "worker-1", "worker-2"):
        service._add(name, ["true"])
    children = service._processes._children
    ports = {name: (child.spec.env or {})["METRICS_PORT"] for name, child in children.items()}
    assert ports == {"api": "9100", "scheduler": "9101", "worker-1": "9102", "worker-2": "9103"}
