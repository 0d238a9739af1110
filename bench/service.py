"""Our side of the comparison: the API process on embedded servers, as `invokeai-saas api` starts it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier

from bench.contender import HOST, Contender, running
from bench.library import SIDE, Board, Library, Picture
from invokeai_saas.db import migrate, roles
from invokeai_saas.embedded.ports import free_port
from invokeai_saas.embedded.servers import Addresses, EmbeddedServers
from invokeai_saas.local import LocalSecrets, process_environment
from invokeai_saas.settings import Settings

_PERSON = {"email": "ada@example.com", "display_name": "Ada", "password": "Correct-horse-7"}
# A person's limits are not what is measured.
_NO_LIMITS = {
    "REQUESTS_PER_MINUTE": "1000000000",
    "ENQUEUES_PER_MINUTE": "1000000000",
    "LOGIN_ATTEMPTS_PER_MINUTE": "1000000000",
    "MAX_PENDING_JOBS": "1000000",
}
# About two jobs of the 13 nodes a second, a little more than InvokeAI's processor runs in the same time. A mock that
# takes no time would run forty times as many, as no GPU does, and keep a core busy with it.
_PACE = {"MOCK_NODE_SECONDS": "0.03"}
_CREDITS = 100_000_000  # more than the run can reserve
_BATCH = 50_000  # pictures that one statement brings


@contextmanager
def prepared(folder: Path, library: Library) -> Iterator[Contender]:
    """The service with these people's pictures, migrated and ready to start.

    Parameters:
        folder: for the embedded servers' data. One that holds the same library is used as it is, but migrated; any
            other is made afresh.
    """
    stamp = folder / "seeded"
    fresh = not (stamp.exists() and stamp.read_text() == str(library))
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
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
        if fresh:
            with running(contender):  # the first start makes keys; the measured ones do not
                user_id = _register(contender)
            seed(owner, user_id, library)
            stamp.write_text(str(library))
        yield contender


def _register(contender: Contender) -> str:
    user = contender.call("POST", "/api/v1/auth/sign-up", _PERSON)["user"]
    assert isinstance(user, dict)
    return str(user["user_id"])


@contextmanager
def _servers(folder: Path) -> Iterator[Addresses]:
    servers = EmbeddedServers(folder)
    try:
        yield servers.start()
    finally:
        servers.stop()


def _contender(folder: Path, environment: Mapping[str, str], port: int) -> Contender:
    command = [sys.executable, "-m", "invokeai_saas"]
    return Contender(
        name="InvokeAI SaaS",
        command=[*command, "api"],
        environment={**environment, **_NO_LIMITS, **_PACE, "LOG_LEVEL": "warning"},
        port=port,
        log=folder / "bench.log",
        email=_PERSON["email"],
        password=_PERSON["password"],
        processor=[*command, "worker", "--engine", "mock"],
        database="postgres",
    )


def seed(owner_url: str, user_id: str, library: Library) -> None:
    """Rows as a worker writes them. COPY would be quicker, but PostgreSQL refuses it under row-level security."""
    people = [user_id, *(str(UUID(int=number)) for number in range(1, library.people + 1))]
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "INSERT INTO users (id, email, name, cognito_sub)"
            " SELECT id, id || '@example.com', 'Somebody', id FROM unnest(%s::uuid[]) id",
            [people[1:]],
        )
        connection.execute(
            "SELECT credits_grant(%s, %s, 'adjustment', now(), now() + interval '1 year', 'bench', 'Benchmark')",
            [user_id, _CREDITS],
        )
        _insert_boards(connection, people, library.all_boards())
        with _without_indexes(connection, ["images", "board_images"]):
            pictures = library.all_pictures()
            while batch := list(islice(pictures, _BATCH)):
                _insert_pictures(connection, people, batch)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(
            "VACUUM (ANALYZE) users, images, boards, board_images, gallery_state"
        )  # as autovacuum would within minutes


@contextmanager
def _without_indexes(connection: psycopg.Connection[Any], tables: Sequence[str]) -> Iterator[None]:
    """Makes the indexes that are no constraints anew when the rows are there, which is quicker."""
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY (%s)"
        " AND indexdef NOT LIKE 'CREATE UNIQUE%%'",
        [tables],
    ).fetchall()
    for name, _ in indexes:
        connection.execute(SQL("DROP INDEX {}").format(Identifier(name)))
    yield
    for _, definition in indexes:
        connection.execute(definition)


def _insert_boards(
    connection: psycopg.Connection[Any], people: Sequence[str], boards: Iterable[Board]
) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO boards (board_id, user_id, board_name, created_at, updated_at) VALUES (%s, %s, %s, %s, %s)",
            [(b.board_id, people[b.owner], b.name, b.created_at, b.created_at) for b in boards],
        )


def _insert_pictures(
    connection: psycopg.Connection[Any], people: Sequence[str], pictures: Sequence[Picture]
) -> None:
    """Pictures and where they lie. With images.board_id set at once, its trigger finds nothing left to mirror."""
    columns = [
        [picture.name for picture in pictures],
        [people[picture.owner] for picture in pictures],
        [picture.board_id for picture in pictures],
        [picture.created_at for picture in pictures],
    ]
    connection.execute(
        "INSERT INTO images (image_name, user_id, board_id, created_at, updated_at, image_origin, image_category,"
        " width, height, s3_key, s3_thumbnail_key, file_size_bytes)"
        " SELECT name, person, board, moment, moment, 'internal', 'general', %s, %s,"
        " 'users/' || person || '/images/' || name,"
        " 'users/' || person || '/images/thumbnails/' || replace(name, '.png', '.webp'), 40000"
        " FROM unnest(%s::text[], %s::uuid[], %s::uuid[], %s::timestamptz[]) p (name, person, board, moment)",
        [SIDE, SIDE, *columns],
    )
    connection.execute(
        "INSERT INTO board_images (user_id, image_name, board_id)"
        " SELECT person, name, board FROM unnest(%s::text[], %s::uuid[], %s::uuid[]) p (name, person, board)"
        " WHERE board IS NOT NULL",
        columns[:3],
    )
