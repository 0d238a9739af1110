"""Looks at this machine and says what would keep the service from running, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import obstore
import psutil
import psycopg
import redis
from obstore.exceptions import BaseError
from obstore.store import S3Store

from .embedded.objectstore import weed_binary
from .embedded.ports import is_free
from .embedded.postgres import postgres_install
from .embedded.servers import folder_holder, running_addresses
from .embedded.valkey import valkey_binary
from .errors import SetupError
from .settings import Settings
from .studio.shipped import CATALOG

_GIBIBYTE = 1024**3
_DISK_NEEDED = 2 * _GIBIBYTE  # servers, logs and some thousand pictures
_MEMORY_NEEDED = 3 * _GIBIBYTE  # servers 0.3, API 0.15, the engine with the starter model 1.5, and air
_ENGINE_SECONDS = 120.0  # the first import of torch on a cold disk
_BINARY_SECONDS = 20.0
_REINSTALL = "Run `make install`."
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Parameters:
        name: what was looked at.
        ok: True: good. False: the service, or the part named, will not work. None: worth knowing, no fault.
        detail: what was found.
        remedy: what to do about it; empty when nothing is to be done.
    """

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """All findings about this machine, in the order in which a person would want to solve them.

    Takes some seconds, mostly for starting torch once. Changes nothing.
    """
    return [finding for check in _CHECKS for finding in check(settings)]


def _python(_: Settings) -> Iterator[Finding]:
    ok = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield Finding("Python", ok, platform.python_version(), "" if ok else "Install Python 3.11 or 3.12.")


def _platform(_: Settings) -> Iterator[Finding]:
    detail = f"{platform.system()} {platform.machine()}"
    if sys.platform == "linux" and platform.machine() == "x86_64":
        yield Finding("Platform", True, detail)
    elif sys.platform in ("linux", "darwin"):
        yield Finding("Platform", None, f"{detail}: should work, but the locks are made for Linux x86_64")
    else:
        yield Finding("Platform", False, detail, "Use Linux or macOS; on Windows, WSL 2.")


def _disk(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(_existing(settings.data_dir)).free
    ok = free >= _DISK_NEEDED
    remedy = f"Make {_DISK_NEEDED // _GIBIBYTE} GiB free, or set DATA_DIR to a folder on another disk."
    yield Finding("Free disk", ok, f"{free / _GIBIBYTE:.1f} GiB at {settings.data_dir}", "" if ok else remedy)


def _memory(_: Settings) -> Iterator[Finding]:
    free = psutil.virtual_memory().available
    ok = free >= _MEMORY_NEEDED
    remedy = "Close other programs, or run without the engine: WORKER_ENGINE=mock."
    yield Finding("Free memory", ok, f"{free / _GIBIBYTE:.1f} GiB", "" if ok else remedy)


def _data_folder(settings: Settings) -> Iterator[Finding]:
    folder = _existing(settings.data_dir)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(
            "Data folder",
            False,
            f"{folder} cannot be written to",
            f"Give it to yourself (chown {os.geteuid()} {folder}), or set DATA_DIR to another folder.",
        )
    elif (holder := folder_holder(settings.data_dir)) is not None:
        yield Finding(
            "Data folder", None, f"{settings.data_dir} is in use by process {holder}: the service is running"
        )
    else:
        yield Finding("Data folder", True, f"{settings.data_dir.absolute()} is ours to use")


def _port(settings: Settings) -> Iterator[Finding]:
    if is_free(settings.port):
        yield Finding("Port", True, f"{settings.port} is free")
    elif folder_holder(settings.data_dir) is not None:
        yield Finding("Port", True, f"{settings.port} is in use, and the service is running")
    else:
        yield Finding(
            "Port",
            False,
            f"{settings.port} is taken by another program",
            "Stop that program, or set PORT (and PUBLIC_URL) to another port.",
        )


def _binaries(_: Settings) -> Iterator[Finding]:
    """Whether the three servers' programs are there and start on this machine."""
    programs: dict[str, Callable[[], list[str]]] = {
        "PostgreSQL program": lambda: [str(postgres_install() / "bin" / "postgres"), "--version"],
        "Valkey program": lambda: [str(valkey_binary()), "--version"],
        "Object store program": lambda: [str(weed_binary()), "version"],
    }
    for name, command in programs.items():
        try:
            yield _run(name, command(), _BINARY_SECONDS, _REINSTALL)
        except SetupError as error:
            yield Finding(name, False, str(error), error.remedy)


def _engine(settings: Settings) -> Iterator[Finding]:
    needed = settings.worker_engine == "invokeai"
    python = settings.engine_python
    remedy = "Run `make install`, or run without the engine: WORKER_ENGINE=mock."
    if not python.exists():
        yield Finding("Engine", False if needed else None, f"there is no {python}", remedy)
        return
    code = (
        "import importlib.metadata as m, torch; gpu = torch.cuda.is_available();"
        "print('InvokeAI', m.version('invokeai') + ', torch', torch.__version__ + ',',"
        " torch.cuda.get_device_name(0) if gpu else 'no GPU: pictures are made on the processor')"
    )
    yield _run("Engine", [str(python), "-c", code], _ENGINE_SECONDS, remedy)


def _derived_files(settings: Settings) -> Iterator[Finding]:
    index = settings.page_dir / "index.html"
    starter = settings.model_dir / "starter" / "weights" / "model_index.json"
    wanted = {
        "InvokeAI's page": (index, _REINSTALL),
        "Node schemas": (settings.node_schemas, _REINSTALL),
        "InvokeAI's library": (settings.library_dir / CATALOG, _REINSTALL),
        "Starter model": (
            starter,
            "Check the repository out completely, or set MODEL_DIR to its models folder.",
        ),
    }
    for name, (path, remedy) in wanted.items():
        if path.is_file():
            yield Finding(name, True, str(path))
        else:
            yield Finding(name, False, f"there is no {path}", remedy)


def _chromium(_: Settings) -> Iterator[Finding]:
    configured = os.environ.get("CHROMIUM_PATH")
    found = configured or next(filter(None, map(shutil.which, _CHROMIUM_NAMES)), None)
    if found and Path(found).exists():
        yield Finding("Chromium", True, f"{found} (only the browser tests use it)")
    else:
        yield Finding(
            "Chromium",
            None,
            "not found; only the browser tests need it",
            "Install Chromium, or set CHROMIUM_PATH to its program.",
        )


def _services(settings: Settings) -> Iterator[Finding]:
    """Whether the servers answer: those the environment names, or else the embedded ones while they run."""
    try:
        settings = with_embedded_addresses(settings)
    except SetupError as error:
        yield Finding("Servers", False, str(error), error.remedy)
        return
    probes: dict[str, tuple[str, Callable[[], object]]] = {
        "PostgreSQL": (settings.database_url.get_secret_value(), lambda: _ask_postgres(settings)),
        "Valkey": (settings.redis_url.get_secret_value(), lambda: _ask_valkey(settings)),
        "Object store": (settings.s3_endpoint_url or "", lambda: _ask_store(settings)),
    }
    for name, (url, probe) in probes.items():
        if not url:
            yield Finding(name, None, "not running; `make run` starts it")
            continue
        where = f"{urlsplit(url).hostname}:{urlsplit(url).port}"
        try:
            probe()
        except (psycopg.Error, redis.RedisError, BaseError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            remedy = f"See the logs in {settings.data_dir / 'logs'}; stop the service and start it again."
            yield Finding(name, False, f"{where} does not answer: {reason}", remedy)
        else:
            yield Finding(name, True, f"answers at {where}")


def with_embedded_addresses(settings: Settings) -> Settings:
    """The settings with the addresses of the embedded servers, where they run and the environment names none.

    Raises:
        SetupError: the data folder's state file does not read.
    """
    if settings.database_url.get_secret_value():
        return settings
    addresses = running_addresses(settings.data_dir, settings.s3_bucket)
    if addresses is None:
        return settings
    url = addresses.postgres_url(addresses.superuser, addresses.superuser_password, "postgresql")
    values = {
        "database_url": url,
        "redis_url": addresses.redis_url,
        "s3_endpoint_url": addresses.s3_endpoint,
        "aws_access_key_id": addresses.s3_access_key,
        "aws_secret_access_key": addresses.s3_secret_key,
    }
    return Settings.model_validate(settings.model_dump() | values)


def _ask_postgres(settings: Settings) -> None:
    scheme, _, rest = settings.database_url.get_secret_value().partition("://")
    psycopg.connect(f"{scheme.partition('+')[0]}://{rest}", connect_timeout=3).close()


def _ask_valkey(settings: Settings) -> None:
    with redis.Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=3.0) as client:
        client.ping()


def _ask_store(settings: Settings) -> None:
    key, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    store = S3Store(
        settings.s3_bucket,
        endpoint=settings.s3_endpoint_url,
        region=settings.aws_region,
        access_key_id=key.get_secret_value() if key else None,
        secret_access_key=secret.get_secret_value() if secret else None,
        client_options={"allow_http": True, "timeout": "3s"},
        retry_config={"max_retries": 0},
    )
    obstore.list_with_delimiter(store, prefix="doctor")


def _run(name: str, command: Sequence[str], seconds: float, remedy: str) -> Finding:
    """Run a program that prints one line about itself."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except OSError as error:
        return Finding(name, False, f"{command[0]} does not start: {error.strerror}", remedy)
    except subprocess.TimeoutExpired:
        return Finding(name, False, f"{command[0]} gave no answer in {seconds:.0f} seconds", remedy)
    lines = (result.stdout + result.stderr).strip().splitlines() or ["no output"]
    if result.returncode != 0:
        return Finding(name, False, f"{command[0]} failed: {lines[-1]}", remedy)
    return Finding(name, True, result.stdout.strip().splitlines()[0] if result.stdout.strip() else lines[0])


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python,
    _platform,
    _disk,
    _memory,
    _data_folder,
    _port,
    _binaries,
    _engine,
    _derived_files,
    _chromium,
    _services,
)
