"""The three servers of one machine, in one data folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..errors import SetupError
from .objectstore import ObjectStore
from .ports import LOOPBACK, choose_ports
from .postgres import DATABASE, SUPERUSER, PostgresServer
from .process import end_leftovers
from .state import FolderLock, ServerState
from .supervisor import Supervisor
from .valkey import ValkeyServer

LOCK_FILE = "servers.lock"
_STATE_FILE = "servers.json"
_RECORD_FILE = "servers.pids"

_Server = PostgresServer | ValkeyServer | ObjectStore


@dataclass(frozen=True)
class Addresses:
    """Where the servers listen and what they ask for. All of it is on loopback."""

    postgres_host: str
    postgres_port: int
    superuser: str
    superuser_password: str
    redis_url: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    s3_bucket: str

    def postgres_url(self, user: str, password: str, driver: str = "postgresql+asyncpg") -> str:
        """The database's URL for one of its users; `driver` is the URL's scheme."""
        credentials = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"{driver}://{credentials}@{self.postgres_host}:{self.postgres_port}/{DATABASE}"


def folder_holder(data_dir: Path) -> int | None:
    """The pid of the instance that uses this data folder now, or None."""
    return FolderLock(data_dir / LOCK_FILE).holder()


def running_addresses(data_dir: Path, bucket: str) -> Addresses | None:
    """Where the servers of this data folder listen while some process runs them, or None.

    Raises:
        SetupError: the folder's state does not read.
    """
    if folder_holder(data_dir) is None:
        return None
    state = ServerState.load(data_dir / _STATE_FILE)
    return _addresses(state, bucket) if state.ports else None


def _addresses(state: ServerState, bucket: str) -> Addresses:
    return Addresses(
        postgres_host=LOOPBACK,
        postgres_port=state.ports["postgres"],
        superuser=SUPERUSER,
        superuser_password=state.postgres_password,
        redis_url=f"redis://:{state.valkey_password}@{LOOPBACK}:{state.ports['valkey']}/0",
        s3_endpoint=f"http://{LOOPBACK}:{state.ports['s3']}",
        s3_access_key=state.s3_access_key,
        s3_secret_key=state.s3_secret_key,
        s3_bucket=bucket,
    )


class EmbeddedServers:
    """PostgreSQL, Valkey and an object store as children of this process.

    They are started again within a second when they die, end when this process does, however it does, and
    find their data, ports and passwords again at the next start.

    Parameters:
        data_dir: the folder for everything; made if missing.
        bucket: name of the object store's bucket, made if missing.
        durable: False leaves out waiting for the disk, for test suites: a killed process still loses nothing
            that it acknowledged, a power cut may lose all.
    """

    def __init__(self, data_dir: Path, *, bucket: str = "invokeai-local", durable: bool = True) -> None:
        self._data_dir = data_dir.resolve()
        self._bucket = bucket
        self._durable = durable
        self._lock = FolderLock(self._data_dir / LOCK_FILE)
        self._supervisor: Supervisor | None = None
        self._servers: tuple[_Server, ...] = ()
        self._ports: dict[str, int] = {}
        self._addresses: Addresses | None = None

    def __enter__(self) -> EmbeddedServers:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, on_stage: Callable[[str], None] | None = None) -> Addresses:
        """Start all three at once and return when they serve.

        Parameters:
            on_stage: called with a short line for each stage.

        Raises:
            SetupError: another instance holds the folder, or a server does not start; nothing is left
                running.
        """
        say = on_stage or (lambda _: None)
        self._make_folders()
        self._lock.acquire()
        try:
            self._addresses = self._start(say)
            return self._addresses
        except BaseException:  # Ctrl-C too
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the servers and let the folder go. Harmless when they do not run."""
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None
        for server in self._servers:
            server.close()
        self._servers = ()
        self._addresses = None
        self._lock.release()

    def pids(self) -> dict[str, int]:
        """The pid of every server that runs now: postgres, valkey, objects."""
        return {} if self._supervisor is None else self._supervisor.pids()

    def ports(self) -> dict[str, int]:
        """Every port that the servers listen on, by what it is for."""
        return dict(self._ports)

    @property
    def addresses(self) -> Addresses:
        """What `start` returned.

        Raises:
            RuntimeError: the servers do not run.
        """
        if self._addresses is None:
            raise RuntimeError("the servers are not started")
        return self._addresses

    def _make_folders(self) -> None:
        try:
            # Root's PostgreSQL is somebody else, who may have to walk through here to a copy of the binaries.
            self._data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            (self._data_dir / "logs").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SetupError(
                f"The data folder {self._data_dir} cannot be used: {error.strerror}.",
                "Make it writable, or set DATA_DIR to a folder that is.",
            ) from error

    def _start(self, say: Callable[[str], None]) -> Addresses:
        record = self._data_dir / _RECORD_FILE
        if left := end_leftovers(record):
            say(f"Ended {', '.join(left)} of an earlier run")
        state = self._load_state()
        postgres = PostgresServer(self._data_dir / "postgres", state, durable=self._durable)
        valkey = ValkeyServer(self._data_dir / "valkey", state, durable=self._durable)
        objects = ObjectStore(self._data_dir / "objects", state, self._bucket)
        # PostgreSQL last: its first preparation takes a second, in which the others start.
        self._servers = (objects, valkey, postgres)
        self._supervisor = Supervisor(record=record)
        self._run(say)
        return _addresses(state, self._bucket)

    def _load_state(self) -> ServerState:
        path = self._data_dir / _STATE_FILE
        state = ServerState.load(path)
        names = (*PostgresServer.port_names, *ValkeyServer.port_names, *ObjectStore.port_names)
        state.ports = choose_ports(names, state.ports)
        state.save(path)
        self._ports = state.ports
        return state

    def _run(self, say: Callable[[str], None]) -> None:
        """Start each server as soon as it is prepared, then wait for all of them."""
        assert self._supervisor is not None
        logs = self._data_dir / "logs"
        self._supervisor.launch()
        for server in self._servers:
            say(f"Starting {server.title}")
            server.prepare()
            self._supervisor.add(server.process(logs))
        titles = {server.name: server.title for server in self._servers}
        self._supervisor.wait_ready(lambda name: say(f"{titles[name]} is ready"))
        for server in self._servers:
            server.finish()
