"""A server under test: started, asked, weighed and stopped in the same way, whoever wrote it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import BinaryIO

import psutil

HOST = "127.0.0.1"
VERSION = "/api/v1/app/version"
# The page's own question when it opens a gallery.
ALL_NAMES = (
    "/api/v1/gallery/item_names?board_id=none&categories=general&is_intermediate=false"
    "&order_dir=DESC&search_term=&starred_first=true"
)
_START_LIMIT = 180.0  # seconds
_POLL = 0.005  # seconds: how finely a start is timed


class BenchError(Exception):
    """The comparison cannot be made; the message says why."""


@dataclass(frozen=True)
class Contender:
    """A server that is prepared and can be started any number of times.

    Parameters:
        name: what the report calls it.
        command: what is executed; its environment is `environment` and nothing else.
        port: where it will listen, on loopback.
        log: the file that takes its output.
        email, password: the person whose pictures are read.
        processor: the process that runs jobs; empty where the server does that itself.
        database: the name of the database's processes, which descend from ours; empty where it is inside the server.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    port: int
    log: Path
    email: str
    password: str
    processor: Sequence[str] = ()
    database: str = ""

    def database_cpu(self) -> float:
        """Seconds of a core that the processes of its database have used."""
        family = psutil.Process().children(recursive=True) if self.database else []
        return sum(_cpu(member) for member in family if _name(member) == self.database)

    def log_in(self) -> str:
        """The person's token, from the log-in that InvokeAI's page uses."""
        credentials = {"email": self.email, "password": self.password, "remember_me": True}
        return str(self.call("POST", "/api/v1/auth/login", credentials)["token"])

    def call(self, method: str, path: str, body: object = None, token: str = "") -> dict[str, object]:
        """One request with JSON both ways.

        Raises:
            BenchError: the answer is not a JSON object with a 2xx status.
        """
        headers = {"Content-Type": "application/json"} | bearer(token)
        connection = HTTPConnection(HOST, self.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if not 200 <= response.status < 300:
            raise BenchError(f"{self.name}: {method} {path} answered {response.status}: {text[:300]!r}")
        answer = json.loads(text)
        if not isinstance(answer, dict):
            raise BenchError(f"{self.name}: {method} {path} answered no JSON object: {text[:300]!r}")
        return answer


@dataclass(frozen=True)
class Running:
    """A started server.

    Parameters:
        seconds: from exec to the first 200 of app/version.
    """

    process: psutil.Process
    seconds: float

    def resident(self) -> float:
        """Resident memory of the process and its descendants, in MiB."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family) / 2**20

    def cpu(self) -> float:
        """Seconds of a core that the process and its descendants have used."""
        return sum(_cpu(member) for member in [self.process, *self.process.children(recursive=True)])

    def has_torch(self) -> bool:
        """Whether torch's native code is mapped into the process: what importing torch cannot avoid."""
        return any("/torch/" in region.path for region in self.process.memory_maps())


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""


def _cpu(process: psutil.Process) -> float:
    """Seconds of a core, with those of children that have ended: a connection of PostgreSQL's is one."""
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0
    return float(used.user + used.system + used.children_user + used.children_system)


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token; none without one."""
    return {"Authorization": f"Bearer {token}"} if token else {}


@contextmanager
def running(contender: Contender) -> Iterator[Running]:
    """Starts the server, waits for its first 200 and stops it afterwards.

    Raises:
        BenchError: it ended, or did not answer within three minutes.
    """
    with contender.log.open("ab") as log:
        began = time.perf_counter()
        child = _start(contender, contender.command, log)
        try:
            _wait_for_answer(contender, child, began + _START_LIMIT)
            seconds = time.perf_counter() - began
            yield Running(psutil.Process(child.pid), seconds)
        finally:
            _stop(child)


@contextmanager
def processing(contender: Contender) -> Iterator[None]:
    """Runs the processor of a server that has one of its own."""
    if not contender.processor:
        yield
        return
    with contender.log.open("ab") as log:
        child = _start(contender, contender.processor, log)
        try:
            yield
        finally:
            _stop(child)


def _start(contender: Contender, command: Sequence[str], log: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, env=dict(contender.environment), stdout=log, stderr=log, start_new_session=True
    )


def _wait_for_answer(contender: Contender, child: subprocess.Popen[bytes], deadline: float) -> None:
    while time.perf_counter() < deadline:
        if child.poll() is not None:
            tail = contender.log.read_text(errors="replace")[-2000:]
            raise BenchError(f"{contender.name} ended with {child.returncode} while starting:\n{tail}")
        if _answers(contender.port):
            return
        time.sleep(_POLL)
    raise BenchError(f"{contender.name} did not answer within {_START_LIMIT:.0f} s; see {contender.log}.")


def _answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", VERSION)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
