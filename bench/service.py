"""Our side of the comparison: the API process on embedded servers, as `invokeai-saas api` starts it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench.contender import HOST, Contender, free_port, running
from bench.pictures import SIDE, Picture
from invokeai_saas.db import migrate, roles
from invokeai_saas.embedded.servers import Addresses, EmbeddedServers
from invokeai_saas.local import LocalSecrets, process_environment
from invokeai_saas.settings import Settings

_PERSON = {"email": "ada@example.com", "display_name": "Ada", "password": "Correct-horse-7"}
# A person's rate limits are not what is measured.
_NO_LIMITS = {"REQUESTS_PER_MINUTE": "1000000000", "LOGIN_ATTEMPTS_PER_MINUTE": "1000000000"}


@contextmanager
def prepared(folder: Path, pictures: Sequence[Picture]) -> Iterator[Contender]:
    """The service with one person who has these pictures, migrated and ready to start.

    Parameters:
        folder: for the embedded servers' data; made if missing.
    """
    port = free_port()
    settings = Settings(data_dir=folder, host=HOST, port=port, public_url=f"http://{HOST}:{port}")
    keys = LocalSecrets.load_or_make(folder / "keys" / "secrets.json")
    with _servers(folder) as addresses:
        superuser = addresses.postgres_url(addresses.superuser, addresses.superuser_password, "postgresql")
        roles.ensure_roles(superuser, keys.passwords())
        environment = process_environment(addresses, keys, settings)
        owner = environment["DATABASE_OWNER_URL"]
        migrate.upgrade(owner)
        contender = _contender(folder, environment, port)
        with running(contender):  # the first start makes keys; the measured ones do not
            user = contender.call("POST", "/api/v1/auth/sign-up", _PERSON)["user"]
        assert isinstance(user, dict)
        _seed(owner, str(user["user_id"]), pictures)
        yield contender


@contextmanager
def _servers(folder: Path) -> Iterator[Addresses]:
    servers = EmbeddedServers(folder)
    try:
        yield servers.start()
    finally:
        servers.stop()


def _contender(folder: Path, environment: Mapping[str, str], port: int) -> Contender:
    return Contender(
        name="InvokeAI SaaS",
        command=[sys.executable, "-m", "invokeai_saas", "api"],
        environment={**environment, **_NO_LIMITS, "LOG_LEVEL": "warning"},
        port=port,
        log=folder / "bench.log",
        email=_PERSON["email"],
        password=_PERSON["password"],
    )


def _seed(owner_url: str, user_id: str, pictures: Sequence[Picture]) -> None:
    """Rows as a worker writes them. COPY would be quicker, but PostgreSQL refuses it under row-level security."""
    insert = (
        "INSERT INTO images (image_name, user_id, image_origin, image_category, width, height, s3_key,"
        " s3_thumbnail_key, file_size_bytes, created_at, updated_at)"
        " VALUES (%s, %s, 'internal', 'general', %s, %s, %s, %s, 40000, %s, %s)"
    )
    with psycopg.connect(owner_url) as connection, connection.cursor() as cursor:
        cursor.executemany(insert, [_row(user_id, picture) for picture in pictures])
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) images")  # as autovacuum would within a minute


def _row(user_id: str, picture: Picture) -> tuple[object, ...]:
    folder = f"users/{user_id}/images"
    thumbnail = f"{folder}/thumbnails/{picture.name.removesuffix('.png')}.webp"
    moment = picture.created_at
    return (picture.name, user_id, SIDE, SIDE, f"{folder}/{picture.name}", thumbnail, moment, moment)
