"""Real PostgreSQL, Valkey and object store for the suite, and a migrated database to copy from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql
from pydantic import SecretStr

from invokeai_saas.db import migrate, roles
from invokeai_saas.embedded.servers import Addresses
from invokeai_saas.settings import Settings

PASSWORDS = roles.RolePasswords(
    owner="owner-pw", api="api-pw", auth="auth-pw", worker="worker-pw", billing="billing-pw", staff="staff-pw"
)
TEMPLATE = "migrated"
_numbers = count(1)


@dataclass(frozen=True)
class TestDatabase:
    """A database of one test, with the URLs of every role."""

    __test__ = False

    addresses: Addresses
    name: str

    def url(self, role: str | None = None, driver: str = "postgresql") -> str:
        """URL as `role`; as the superuser when none is named."""
        passwords = dict(PASSWORDS.items())
        user = role or self.addresses.superuser
        password = passwords[role] if role else self.addresses.superuser_password
        base = self.addresses.postgres_url(user, password, driver)
        return base.rpartition("/")[0] + f"/{self.name}"

    @property
    def owner(self) -> str:
        return self.url(roles.OWNER)

    def settings(self, tmp_path: Path, **changes: object) -> Settings:
        """Settings of a process on this database. Pools are small: the suite runs many of them."""
        values: dict[str, object] = {
            "data_dir": tmp_path,
            "database_url": SecretStr(self.url(roles.API, "postgresql+asyncpg")),
            "database_auth_url": SecretStr(self.url(roles.AUTH, "postgresql+asyncpg")),
            "database_worker_url": SecretStr(self.url(roles.WORKER)),
            "database_billing_url": SecretStr(self.url(roles.BILLING)),
            "database_staff_url": SecretStr(self.url(roles.STAFF, "postgresql+asyncpg")),
            "database_owner_url": SecretStr(self.owner),
            "redis_url": SecretStr(self.addresses.redis_url),
            "s3_bucket": self.addresses.s3_bucket,
            "s3_endpoint_url": self.addresses.s3_endpoint,
            "aws_access_key_id": SecretStr(self.addresses.s3_access_key),
            "aws_secret_access_key": SecretStr(self.addresses.s3_secret_key),
            "media_signing_key": SecretStr("media-key-of-the-suite-of-32-bytes-or-more"),
            "identity_secret": SecretStr("identity-secret-of-the-suite-of-32-bytes-or-more"),
            "writer_pool_size": 5,
            "reader_pool_size": 5,
            "login_attempts_per_minute": 10_000,
            "login_attempts_per_address": 10_000,
            "login_attempts_per_account": 10_000,
            "staff_log_ins_per_hour": 10_000,
            "sign_ups_per_hour": 10_000,
            "link_mails_per_hour": 10_000,
            "link_mails_per_address": 10_000,
            "requests_per_minute": 1_000_000,
            "key_requests_per_minute": 1_000_000,
            "pages_per_minute": 1_000_000,
            "enqueues_per_minute": 1_000_000,
            "uploads_per_minute": 1_000_000,
            "layers_per_minute": 1_000_000,
        }
        return Settings.model_validate(values | changes)


def _admin(addresses: Addresses, database: str) -> psycopg.Connection[tuple[object, ...]]:
    test = TestDatabase(addresses, database)
    return psycopg.connect(test.url(), autocommit=True)


def migrate_template(addresses: Addresses) -> None:
    """Makes the database that each test's own is a copy of."""
    with _admin(addresses, "invokeai") as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    template = TestDatabase(addresses, TEMPLATE)
    roles.ensure_roles(template.url(), PASSWORDS)
    migrate.upgrade(template.owner)


@contextmanager
def copied_database(addresses: Addresses, template: str = TEMPLATE) -> Iterator[TestDatabase]:
    """A fresh copy of the template, dropped afterwards."""
    name = f"test_{next(_numbers)}"
    with _admin(addresses, "invokeai") as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield TestDatabase(addresses, name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
