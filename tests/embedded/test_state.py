"""What a data folder remembers."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from invokeai_saas.embedded.ports import LOOPBACK, choose_ports, is_free
from invokeai_saas.embedded.state import FolderLock, ServerState
from invokeai_saas.errors import SetupError


def test_state_is_kept_and_private(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    first = ServerState.load(path)
    first.ports = {"one": 15_001}
    first.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ServerState.load(path) == first
    assert ServerState.load(tmp_path / "other.json").postgres_password != first.postgres_password


def test_damaged_state_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    path.write_text('{"ports": ')
    with pytest.raises(SetupError, match="does not read"):
        ServerState.load(path)
    assert path.read_text() == '{"ports": '


def test_lock_is_held_once_and_let_go(tmp_path: Path) -> None:
    lock, other = FolderLock(tmp_path / "lock"), FolderLock(tmp_path / "lock")
    assert other.holder() is None
    lock.acquire()
    assert other.holder() == os.getpid()
    with pytest.raises(SetupError, match="Another instance"):
        other.acquire()
    lock.release()
    other.acquire()
    other.release()


def test_ports_stay_while_they_are_free() -> None:
    ports = choose_ports(["one", "two"], {})
    assert len(set(ports.values())) == 2
    assert choose_ports(["one", "two"], ports) == ports


def test_taken_port_is_replaced_and_only_that() -> None:
    ports = choose_ports(["one", "two"], {})
    with socket.create_server((LOOPBACK, ports["one"])):
        assert not is_free(ports["one"])
        again = choose_ports(["one", "two"], ports)
    assert again["one"] not in ports.values()
    assert again["two"] == ports["two"]
