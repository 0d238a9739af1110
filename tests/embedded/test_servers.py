"""The real servers: their data, their doors, and what survives which death."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import obstore
import psutil
import psycopg
import pytest
import redis
from obstore.exceptions import BaseError
from redis.backoff import NoBackoff
from redis.retry import Retry

from invokeai_saas.embedded import postgres
from invokeai_saas.embedded.ports import choose_ports
from invokeai_saas.embedded.postgres import PostgresServer
from invokeai_saas.embedded.servers import Addresses, EmbeddedServers
from invokeai_saas.embedded.state import ServerState
from invokeai_saas.embedded.supervisor import Supervisor
from invokeai_saas.errors import SetupError

from .helpers import Owner, bucket, connect, everywhere, gone, read, until, write

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


class Running:
    """Servers of this module, and where they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = EmbeddedServers(folder, durable=False)
        self.stages: list[str] = []
        self.addresses: Addresses = self.servers.start(self.stages.append)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    one = Running(tmp_path_factory.mktemp("running"))
    yield one
    one.servers.stop()


def test_says_what_it_does(running: Running) -> None:
    assert "Starting PostgreSQL" in running.stages
    assert "PostgreSQL is ready" in running.stages


def test_database_is_as_promised(running: Running) -> None:
    with connect(running.addresses) as connection:
        row = connection.execute(
            "SELECT current_database(), getdatabaseencoding(), current_setting('timezone'),"
            " current_setting('max_connections')::int >= 200, upper('é')"
        ).fetchone()
    assert row == ("invokeai", "UTF8", "UTC", True, "É")


def test_listens_on_loopback_only(running: Running) -> None:
    for name, pid in running.servers.pids().items():
        process = psutil.Process(pid)
        listening = [c.laddr for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert listening, name
        assert {address.ip for address in listening} == {"127.0.0.1"}, name


def test_ports_are_the_remembered_ones(running: Running) -> None:
    """No server opens a port of its own choice, which another instance on this machine would want too."""
    remembered = set(running.servers.ports().values())

    def opened() -> set[int]:
        return {
            connection.laddr.port
            for pid in running.servers.pids().values()
            for connection in psutil.Process(pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }

    until(opened, remembered.__eq__)  # the store answers before all its parts listen


def test_passwords_are_required(running: Running) -> None:
    addresses = running.addresses
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(addresses, password="wrong")
    stranger = redis.Redis(port=_port(addresses.redis_url), retry=Retry(NoBackoff(), 0))
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with pytest.raises(BaseError, match="SignatureDoesNotMatch"):
        obstore.put(bucket(addresses, secret="wrong"), "x", b"x")


def test_store_refuses_the_unsigned(running: Running) -> None:
    """Neither its S3 door nor the filer behind it gives pictures to another user of the machine."""
    addresses = running.addresses
    obstore.put(bucket(addresses), "secret/picture", b"x")
    filer = f"http://127.0.0.1:{running.servers.ports()['filer']}/buckets"
    for door in (addresses.s3_endpoint, filer):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{door}/{addresses.s3_bucket}/secret/picture", timeout=120)
        assert refused.value.code in (401, 403)


def _holds(path: Path, secret: str) -> bool:
    """Whether a small file has the secret in it. Servers' temporary files go as one looks."""
    try:
        return path.is_file() and path.stat().st_size < 100_000 and secret.encode() in path.read_bytes()
    except FileNotFoundError:
        return False


def test_secrets_are_readable_by_the_owner_only(running: Running) -> None:
    secrets = (running.addresses.superuser_password, running.addresses.s3_secret_key)
    holding = [path for path in running.folder.rglob("*") if any(_holds(path, one) for one in secrets)]
    assert running.folder / "servers.json" in holding
    assert [path for path in holding if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    arguments = [psutil.Process(pid).cmdline() for pid in running.servers.pids().values()]
    assert not any(secret in " ".join(line) for secret in secrets for line in arguments)


def test_second_instance_is_refused(running: Running) -> None:
    with pytest.raises(SetupError, match=f"process {os.getpid()}") as refused:
        EmbeddedServers(running.folder).start()
    assert "DATA_DIR" in refused.value.remedy
    assert set(running.servers.pids()) == {"postgres", "valkey", "objects"}  # the first goes on


def test_other_folder_runs_beside(running: Running, tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path, bucket="another-one", durable=False) as other:
        assert not set(other.ports().values()) & set(running.servers.ports().values())
        assert set(other.pids()) == {"postgres", "valkey", "objects"}


@pytest.mark.parametrize("name", ["postgres", "valkey", "objects"])
def test_killed_server_comes_back_with_its_data(running: Running, name: str) -> None:
    write(running.addresses, f"before {name}")
    expected = read(running.addresses)
    old = running.servers.pids()[name]
    psutil.Process(old).kill()
    until(lambda: running.servers.pids().get(name, old), lambda pid: pid != old)
    assert until(lambda: read(running.addresses), lambda kept: kept == expected)
    write(running.addresses, f"after {name}")
    assert psutil.Process(running.servers.pids()[name]).ppid() == os.getpid()


def test_data_is_found_again(tmp_path: Path) -> None:
    servers = EmbeddedServers(tmp_path, durable=True)
    first = servers.start()
    pids = list(servers.pids().values())
    write(first, "durable")
    servers.stop()
    assert gone(pids, seconds=0)
    servers.stop()  # harmless
    again = servers.start()
    try:
        assert again == first
        assert read(again) == everywhere("durable")
    finally:
        servers.stop()


def test_killed_owner_leaves_nothing_and_loses_nothing(tmp_path: Path) -> None:
    owner = Owner.start(tmp_path)
    write(owner.addresses, "acknowledged")
    owner.kill()
    if hasattr(os, "pidfd_open"):  # Linux: the kernel tells the children
        assert gone(list(owner.pids.values()))
    with EmbeddedServers(tmp_path, durable=False) as servers:
        assert gone(list(owner.pids.values()), seconds=0)
        assert read(servers.addresses) == everywhere("acknowledged")


def test_deaths_of_everybody_at_once(tmp_path: Path) -> None:
    """As when memory runs out: owner and servers die together, no server gets to say goodbye."""
    owner = Owner.start(tmp_path)
    write(owner.addresses, "acknowledged")
    for pid in (owner.process.pid, *owner.pids.values()):
        psutil.Process(pid).suspend()  # so that nobody acts on another's death
    for pid in (*owner.pids.values(), owner.process.pid):
        psutil.Process(pid).kill()
    owner.process.wait()
    assert (tmp_path / "postgres" / "postmaster.pid").exists()
    with EmbeddedServers(tmp_path, durable=False) as servers:
        assert servers.addresses == owner.addresses
        assert read(servers.addresses) == everywhere("acknowledged")


def test_reused_pid_in_postmaster_file(tmp_path: Path) -> None:
    """PostgreSQL refuses to start while a process lives that an old postmaster.pid names, whatever it is."""
    state = ServerState(ports=choose_ports(PostgresServer.port_names, {}))
    (tmp_path / "logs").mkdir()
    with running_postgres(tmp_path, state) as supervisor:
        stale = (tmp_path / "postgres" / "postmaster.pid").read_text()
        old = supervisor.pids()["postgres"]
    bystander = subprocess.Popen(["/bin/sleep", "60"], user=(tmp_path / "postgres").stat().st_uid)
    path = tmp_path / "postgres" / "postmaster.pid"
    try:
        path.write_text(stale.replace(str(old), str(bystander.pid), 1))
        owner = (tmp_path / "postgres").stat()
        os.chown(path, owner.st_uid, owner.st_gid)
        with running_postgres(tmp_path, state) as supervisor:
            assert supervisor.pids()["postgres"] != old
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@needs_root
def test_as_somebody_else_than_root() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "data")
        Path(name).chmod(0o777)
        owner = Owner.start(folder, "nobody")
        nobody = folder.stat().st_uid
        assert nobody != 0
        assert {psutil.Process(pid).uids().real for pid in owner.pids.values()} == {nobody}
        write(owner.addresses, "kept")
        assert read(owner.addresses) == everywhere("kept")
        assert owner.finish() == 0
        assert gone(list(owner.pids.values()), seconds=0)


@needs_root
def test_root_with_binaries_below_a_closed_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment nor the data folder can be entered by the account that PostgreSQL runs as."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copytree(postgres.postgres_install(), home / "pginstall", symlinks=True)
    monkeypatch.setattr(postgres, "postgres_install", lambda: home / "pginstall")
    with tempfile.TemporaryDirectory() as reachable:
        Path(reachable).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", reachable)
        with EmbeddedServers(home / "data", durable=False) as servers:
            with connect(servers.addresses) as connection:
                connection.execute("CREATE EXTENSION pgcrypto")  # loads a library from the copy
            server = psutil.Process(servers.pids()["postgres"])
            assert server.uids().real != 0
            assert Path(server.exe()).is_relative_to(Path(reachable).resolve())


@contextmanager
def running_postgres(folder: Path, state: ServerState) -> Iterator[Supervisor]:
    server = PostgresServer(folder / "postgres", state, durable=False)
    server.prepare()
    try:
        with Supervisor() as supervisor:
            supervisor.add(server.process(folder / "logs"))
            supervisor.start()
            yield supervisor
    finally:
        server.close()


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])
