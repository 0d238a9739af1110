"""Everything on one machine: embedded servers, migrated records, and our own processes beside them."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path

import httpx
from pydantic import SecretStr

from invokeai_saas.billing.operating import gpu_tiers
from invokeai_saas.catalog.registration import mark_missing, register_models
from invokeai_saas.catalog.scanning import scan
from invokeai_saas.db import migrate, roles
from invokeai_saas.embedded.ports import LOOPBACK
from invokeai_saas.embedded.process import end_leftovers
from invokeai_saas.embedded.servers import Addresses, EmbeddedServers, running_addresses
from invokeai_saas.embedded.state import write_private
from invokeai_saas.embedded.stripe.process import LocalStripe, load_or_make
from invokeai_saas.embedded.supervisor import ManagedProcess, Supervisor, print_line
from invokeai_saas.errors import SetupError
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import open_object_store
from invokeai_saas.studio.shipped import Shipped, publish_pictures

Stage = Callable[[str], None]
# No process is told a password that it has no use for.
_PAYMENTS = frozenset({"STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_API_BASE"})
_WORKER_SECRETS = frozenset({"DATABASE_WORKER_URL"})
_SECRETS_OF = {
    "api": frozenset({"DATABASE_URL", "DATABASE_AUTH_URL", "DATABASE_STAFF_URL", "IDENTITY_SECRET"})
    | _PAYMENTS,
    "scheduler": _WORKER_SECRETS | _PAYMENTS | {"DATABASE_AUTH_URL", "DATABASE_BILLING_URL"},
    "stripe": _PAYMENTS,
}
# Added to METRICS_PORT; there are at most sixteen workers.
_METRICS_OFFSET = {"api": 0, "scheduler": 1} | {f"worker-{number}": 1 + number for number in range(1, 17)}
_ALL_SECRETS = frozenset().union(*_SECRETS_OF.values()) | {"DATABASE_OWNER_URL"}


@dataclass(frozen=True)
class LocalSecrets:
    """What an operator would keep in a secret store; here a file that only its owner reads."""

    owner_password: str
    api_password: str
    auth_password: str
    worker_password: str
    media_signing_key: str
    billing_password: str
    identity_secret: str
    staff_password: str

    @classmethod
    def load_or_make(cls, file: Path) -> LocalSecrets:
        """Reads the secrets, and makes those that are missing: all on the first start, new ones after an upgrade."""
        kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        missing = {field.name for field in fields(cls)} - kept.keys()
        if missing:
            file.parent.mkdir(parents=True, exist_ok=True)
            kept |= {name: secrets.token_urlsafe(32) for name in missing}
            write_private(file, json.dumps(kept))
        return cls(**kept)

    def passwords(self) -> roles.RolePasswords:
        return roles.RolePasswords(
            self.owner_password,
            self.api_password,
            self.auth_password,
            self.worker_password,
            self.billing_password,
            self.staff_password,
        )


def process_environment(addresses: Addresses, keys: LocalSecrets, settings: Settings) -> dict[str, str]:
    """The environment that our processes read their settings from."""
    url = addresses.postgres_url
    passwords = keys.passwords()
    chosen = {
        "DATA_DIR": str(settings.data_dir.absolute()),
        "MODEL_DIR": str(settings.model_dir.absolute()),
        "HOST": settings.host,
        "PORT": str(settings.port),
        "PUBLIC_URL": settings.public_url,
        "PAGE_DIR": str(settings.page_dir),
        "NODE_SCHEMAS": str(settings.node_schemas),
        "LIBRARY_DIR": str(settings.library_dir),
        "DATABASE_URL": url(roles.API, passwords.api),
        "DATABASE_AUTH_URL": url(roles.AUTH, passwords.auth),
        "DATABASE_STAFF_URL": url(roles.STAFF, passwords.staff),
        "DATABASE_WORKER_URL": url(roles.WORKER, passwords.worker, "postgresql"),
        "DATABASE_BILLING_URL": url(roles.BILLING, passwords.billing, "postgresql"),
        "DATABASE_OWNER_URL": url(roles.OWNER, passwords.owner, "postgresql"),
        "REDIS_URL": addresses.redis_url,
        "S3_ENDPOINT_URL": addresses.s3_endpoint,
        "S3_BUCKET": addresses.s3_bucket,
        "AWS_ACCESS_KEY_ID": addresses.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": addresses.s3_secret_key,
        "MEDIA_SIGNING_KEY": keys.media_signing_key,
        "IDENTITY_SECRET": keys.identity_secret,
        "DRAIN_SECONDS": "5",  # a job is handed back well before the supervisor's patience ends
    }
    return {**os.environ, **chosen}


def worker_tiers(settings: Settings, url: str) -> list[str]:
    """What workers on this machine serve: every tier, for nobody else would run its jobs; or those that are named.

    Parameters:
        url: of the owner's role.
    """
    return settings.worker_tiers.split(",") if "worker_tiers" in settings.model_fields_set else gpu_tiers(url)


def _command(python: str | Path, *arguments: str) -> list[str]:
    return [str(python), "-m", "invokeai_saas", *arguments]


class LocalService:
    """The whole service on this machine.

    Parameters:
        settings: DATA_DIR, HOST, PORT, MODEL_DIR and WORKER_ENGINE are what matters here.
        workers: how many worker processes.
        quiet: keep the processes' logs in files only.
        payments: without a key of Stripe's, start the local one.
    """

    def __init__(
        self, settings: Settings, *, workers: int = 1, quiet: bool = False, payments: bool = True
    ) -> None:
        self.settings = settings
        self._workers = workers
        self._servers = EmbeddedServers(settings.data_dir, bucket=settings.s3_bucket)
        self._record = settings.data_dir / "processes.json"
        self._processes = Supervisor(record=self._record, log_sink=None if quiet else print_line)
        self.environment: dict[str, str] = {}
        no_key = not settings.stripe_secret_key.get_secret_value()
        self._own_stripe = payments and no_key and settings.deployment_mode == "local"

    def start(self, on_stage: Stage) -> None:
        """Starts everything; returns when the API answers.

        Parameters:
            on_stage: told what is being done.

        Raises:
            SetupError: something on this machine keeps it from starting; says what to do.
        """
        on_stage("Starting PostgreSQL, Valkey and the object store")
        addresses = self._servers.start()
        end_leftovers(self._record)  # of a run that was killed
        (self.settings.data_dir / "logs").mkdir(exist_ok=True)
        keys = LocalSecrets.load_or_make(self.settings.data_dir / "keys" / "secrets.json")
        on_stage("Bringing the database up to date")
        roles.ensure_roles(
            addresses.postgres_url(addresses.superuser, addresses.superuser_password, "postgresql"),
            keys.passwords(),
        )
        self.environment = process_environment(addresses, keys, self.settings)
        migrate.upgrade(self.environment["DATABASE_OWNER_URL"])
        self._publish_library(addresses)
        if self._own_stripe:
            self._add_stripe()
        on_stage("Starting the API, the scheduler and the worker")
        self._add("api", _command(sys.executable, "api"), ready=self._api_answers)
        self._add("scheduler", _command(sys.executable, "scheduler"))
        self._add_workers()
        self._processes.launch()
        if self._models_changed():
            on_stage("Registering the models (once)")
            self._register_models()
        self._processes.wait_ready()

    def wait(self) -> str | None:
        """Blocks until stopped or until a process ends for good; says which in a sentence."""
        return self._processes.wait()

    def stop(self) -> None:
        """Our processes first, so that jobs are handed back or settled while the database is there."""
        self._processes.stop()
        self._servers.stop()

    def _publish_library(self, addresses: Addresses) -> None:
        """Pictures of what InvokeAI ships, where the bucket lacks them: after an upgrade, or the first time."""
        there = self.settings.model_copy(
            update={
                "s3_endpoint_url": addresses.s3_endpoint,
                "aws_access_key_id": SecretStr(addresses.s3_access_key),
                "aws_secret_access_key": SecretStr(addresses.s3_secret_key),
            }
        )
        asyncio.run(publish_pictures(Shipped(self.settings.library_dir), open_object_store(there)))

    def _add_stripe(self) -> None:
        """A Stripe that moves no money, where there is no key of the real one's."""
        folder = self.settings.data_dir / "stripe"
        local = load_or_make(folder)
        self.environment |= local.environment()
        listener = f"http://{LOOPBACK}:{self.settings.port}/api/v1/saas/stripe/webhook"
        options = ["--folder", str(folder.absolute()), "--port", str(local.port), "--webhook", listener]
        self._add("stripe", _command(sys.executable, "stripe", *options), ready=lambda: _answers(local))

    def _add(self, name: str, argv: list[str], ready: Callable[[], bool] | None = None) -> None:
        log_file = self.settings.data_dir / "logs" / f"{name}.log"
        allowed = _SECRETS_OF.get(name, _WORKER_SECRETS)
        env = {k: v for k, v in self.environment.items() if k not in _ALL_SECRETS or k in allowed}
        if self.settings.metrics_port is not None:  # each process has figures of its own
            env["METRICS_PORT"] = str(self.settings.metrics_port + _METRICS_OFFSET.get(name, 0))
        self._processes.add(ManagedProcess(name=name, argv=argv, log_file=log_file, env=env, ready=ready))

    def _add_workers(self) -> None:
        python = self.worker_python()
        tiers = worker_tiers(self.settings, self.environment["DATABASE_OWNER_URL"])
        self.environment["WORKER_TIERS"] = ",".join(tiers)
        for number in range(1, self._workers + 1):
            self._add(f"worker-{number}", _command(python, "worker", "--engine", self.settings.worker_engine))

    def worker_python(self) -> Path:
        """The interpreter that has the engine; the mock engine needs none of its own."""
        if self.settings.worker_engine == "mock":
            return Path(sys.executable)
        if not self.settings.engine_python.exists():
            raise SetupError(
                f"The engine's environment is missing ({self.settings.engine_python}).",
                "Run `make install`, or start with `--engine mock` to go without InvokeAI's engine.",
            )
        return self.settings.engine_python

    def _api_answers(self) -> bool:
        try:
            answer = httpx.get(
                f"http://{self.settings.host}:{self.settings.port}/api/v1/app/version", timeout=2
            )
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    @property
    def _scan_mark(self) -> Path:
        return self.settings.data_dir / "models.scanned"

    def _models_changed(self) -> bool:
        """Whether files of MODEL_DIR have come, gone or changed since they were last registered."""
        if not self.settings.engine_python.exists():
            return False  # the mock engine alone: models are registered when the engine's environment comes
        known = self._scan_mark.read_text() if self._scan_mark.exists() else None
        return known != _folder_state(self.settings.model_dir)

    def _register_models(self) -> None:
        state = _folder_state(self.settings.model_dir)
        url, records = self.environment["DATABASE_OWNER_URL"], scan(self.settings, self.environment)
        register_models(url, records)
        mark_missing(url, [record["path"] for record in records])
        self._scan_mark.write_text(state)


def _answers(local: LocalStripe) -> bool:
    try:
        return httpx.get(local.url, timeout=1).status_code == 404  # it has no front page
    except httpx.HTTPError:
        return False


def owner_url(settings: Settings) -> str:
    """The owner role's URL: from the environment, or of the service that runs from this data folder.

    Raises:
        SetupError: neither is there.
    """
    given = settings.database_owner_url.get_secret_value()
    if given:
        return given
    secrets_file = settings.data_dir / "keys" / "secrets.json"
    addresses = running_addresses(settings.data_dir, settings.s3_bucket)
    if addresses is None or not secrets_file.exists():
        raise SetupError(
            "The database is not known.",
            "Set DATABASE_OWNER_URL, or start the service with `invokeai-saas up`.",
        )
    password = LocalSecrets.load_or_make(secrets_file).owner_password
    return addresses.postgres_url(roles.OWNER, password, "postgresql")


def _folder_state(folder: Path) -> str:
    """Changes when a file below the folder is added, removed or rewritten."""
    digest = sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            facts = file.stat()
            digest.update(f"{file.relative_to(folder)}:{facts.st_size}:{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@contextmanager
def running_service(service: LocalService, on_stage: Stage) -> Iterator[LocalService]:
    """Starts the service and stops it afterwards, whatever happens."""
    try:
        service.start(on_stage)
        yield service
    finally:
        service.stop()
