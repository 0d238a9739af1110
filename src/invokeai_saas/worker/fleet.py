"""A worker process for each GPU of this machine: `invokeai-saas workers`, the first process of a worker's container.

Each child sees one GPU. One that ends by itself, as when its watchdog has killed it, is started again, ever more
slowly. TERM and INT are handed on; each child then lets its job finish or hands it back, and this process ends
with the last.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from invokeai_saas.errors import SetupError
from invokeai_saas.health import EXPECTED, READY

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.2
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds before an ended worker is started again
_SETTLED_SECONDS = 120.0  # a worker that lived so long has shown that it can
_LIST_SECONDS = 30.0


def gpus(environment: Mapping[str, str] = os.environ) -> list[str | None]:
    """What each worker shall see, as CUDA_VISIBLE_DEVICES names it; one None where there is no GPU.

    What the container was given counts: the driver lists no others in it, and CUDA_VISIBLE_DEVICES narrows it down.

    Raises:
        SetupError: the driver is there and does not answer.
    """
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [part.strip() for part in named.split(",") if part.strip()] or [None]
    program = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if program is None:
        return [None]
    command = [program, "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=_LIST_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise SetupError(
            f"The GPU's driver does not answer: {error}", "See `nvidia-smi` on this machine."
        ) from error
    return [line.strip() for line in listed.stdout.splitlines() if line.strip()] or [None]


@dataclass
class _Member:
    """One worker. Parameters: ready: the file that it writes once it has loaded the engine."""

    name: str
    environment: dict[str, str]
    ready: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    not_before: float = field(default_factory=time.monotonic)


class Fleet:
    """Parameters:
    devices: as `gpus` answers them.
    data_dir: where each worker's sign of being ready lies.
    command: starts one worker; it reads WORKER_READY_FILE.
    """

    def __init__(self, devices: Sequence[str | None], data_dir: Path, command: Sequence[str]) -> None:
        self._command = list(command)
        self._folder = data_dir / READY
        self._stopping = threading.Event()
        self._members = [self._member(number, device) for number, device in enumerate(devices, 1)]

    def _member(self, number: int, device: str | None) -> _Member:
        ready = self._folder / str(number)
        environment = {**os.environ, "WORKER_READY_FILE": str(ready.absolute())}
        if device is not None:
            environment["CUDA_VISIBLE_DEVICES"] = device
        if environment.get("METRICS_PORT"):  # each has figures of its own
            environment["METRICS_PORT"] = str(int(environment["METRICS_PORT"]) + number - 1)
        return _Member(f"worker-{number}", environment, ready)

    def stop(self) -> None:
        """Tells every worker to take no more jobs; `run` returns when the last has ended."""
        self._stopping.set()

    def run(self) -> None:
        """Works until stopped; TERM and INT stop it. For a main thread."""
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: self.stop())
        self.run_until_stopped()

    def run_until_stopped(self) -> None:
        """The same without signal handlers."""
        shutil.rmtree(self._folder, ignore_errors=True)  # of an earlier life of this container
        self._folder.mkdir(parents=True)
        (self._folder / EXPECTED).write_text(str(len(self._members)))
        while not self._stopping.is_set():
            for member in self._members:
                self._look_after(member)
            self._stopping.wait(_LOOK_SECONDS)
        self._end()

    def _look_after(self, member: _Member) -> None:
        now = time.monotonic()
        if member.process is not None:
            code = member.process.poll()
            if code is None:
                return
            member.ready.unlink(missing_ok=True)
            member.process = None
            member.pause = _FIRST_PAUSE if now - member.started > _SETTLED_SECONDS else member.pause
            log.error("worker_ended", worker=member.name, code=code, again_in=member.pause)
            member.not_before = now + member.pause
            member.pause = min(2 * member.pause, _LONGEST_PAUSE)
        if now >= member.not_before:
            member.process = subprocess.Popen(self._command, env=member.environment, stdin=subprocess.DEVNULL)
            member.started = now
            log.info(
                "worker_started",
                worker=member.name,
                pid=member.process.pid,
                gpu=member.environment.get("CUDA_VISIBLE_DEVICES"),
            )

    def _end(self) -> None:
        running = [member for member in self._members if member.process is not None]
        for member in running:
            assert member.process is not None
            member.process.terminate()
        for member in running:
            assert member.process is not None
            # For as long as it takes: a job may finish, and whoever stops this container knows how long it may take.
            log.info("worker_ended", worker=member.name, code=member.process.wait())
            member.ready.unlink(missing_ok=True)


def worker_command(engine: str) -> list[str]:
    """Starts one worker with this interpreter."""
    return [sys.executable, "-m", "invokeai_saas", "worker", "--engine", engine]
