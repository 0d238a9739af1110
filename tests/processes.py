"""Our own processes as children of the suite: `invokeai-saas api`, `worker`, and a Redis that a test may stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import httpx
import redis
from pydantic import SecretStr

from invokeai_saas.embedded.ports import LOOPBACK
from invokeai_saas.embedded.valkey import valkey_binary
from invokeai_saas.settings import Settings


def environment(settings: Settings) -> dict[str, str]:
    """The variables from which another process reads the same settings."""
    chosen = {}
    for name, value in settings:
        if isinstance(value, dict):
            chosen[name.upper()] = json.dumps(value)
        elif value is not None:
            chosen[name.upper()] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return {**os.environ, **chosen}


class ChildProcess:
    """A process that can be started, killed and started again; its log is shown when a test fails.

    Parameters:
        command: what is executed.
        env: its environment.
        log: takes its output.
    """

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        self._command, self._env, self._log = command, env, log
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log)

    def kill(self) -> None:
        """With -9: it says nothing to anybody."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()

    def __enter__(self) -> ChildProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child is not None
        self._child.terminate()
        try:
            self._child.wait(120)
        except subprocess.TimeoutExpired:
            self.kill()
        print(self._log.read_text(errors="replace")[-4000:])  # noqa: T201 - pytest shows it for failures only


def saas(settings: Settings, name: str, python: str | Path = sys.executable) -> ChildProcess:
    """`invokeai-saas <name>` with these settings, by this interpreter."""
    log = settings.data_dir / f"{name}-{settings.port}.log"
    return ChildProcess([str(python), "-m", "invokeai_saas", name], environment(settings), log)


def wait_for(url: str) -> None:
    """Until the API answers. The transport tries to connect again by itself, ever more slowly."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=120) as client:
        client.get(f"{url}/api/v1/app/version").raise_for_status()


@contextmanager
def own_redis(port: int, folder: Path) -> Iterator[ChildProcess]:
    """A Valkey of one test, at redis://127.0.0.1:{port}/0, that keeps nothing."""
    options = {"bind": LOOPBACK, "port": str(port), "save": "", "appendonly": "no", "dir": str(folder)}
    command = [
        str(valkey_binary()),
        *(part for name, value in options.items() for part in (f"--{name}", value)),
    ]
    with ChildProcess(command, {"LANG": "C"}, folder / "valkey.log") as process:
        wait_for_redis(port)
        yield process


def wait_for_redis(port: int) -> None:
    retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 200)
    with redis.Redis(host=LOOPBACK, port=port, retry=retry, retry_on_error=[redis.ConnectionError]) as client:
        client.ping()
