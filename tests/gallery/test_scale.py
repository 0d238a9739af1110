"""Lists stay one statement, and a cheap one, however many pictures there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import event, text

from invokeai_saas.db.direct import DirectReads
from tests.apps import RunningApi
from tests.gallery.people import Gallery
from tests.servers import TestDatabase

PICTURES = 3000
SERIES = """
    INSERT INTO images (image_name, user_id, image_origin, image_category, width, height, s3_key, s3_thumbnail_key,
        file_size_bytes, created_at, starred, is_intermediate)
    SELECT gen_random_uuid() || '.png', p.id, 'internal', 'general', 256, 256, 'users/' || p.id || '/key' || n,
        'users/' || p.id || '/thumbnail' || n, 1, now() - n * interval '1 second', n %% 50 = 0, n %% 10 = 0
    FROM (SELECT %s::uuid AS id) p, generate_series(1, %s) n
"""
SHOWN = PICTURES - PICTURES // 10


@pytest.fixture
def many(ada: Gallery, database: TestDatabase) -> Gallery:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(SERIES, [ada.user_id, PICTURES])
        connection.execute("ANALYZE images, board_images")
    return ada


@pytest.fixture
def statements(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the reader is asked from now on, by sessions and directly, without each transaction's own lines."""
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "set_config" not in statement:
            seen.append((statement, parameters))

    event.listen(api.services.database.reader.sync_engine, "before_cursor_execute", note)
    read = DirectReads.read

    def note_direct(record: Any) -> None:
        if not record.query.startswith(("BEGIN", "COMMIT")):
            seen.append((record.query, record.args))

    @asynccontextmanager
    async def logged(self: DirectReads, user_id: UUID) -> AsyncIterator[Any]:
        async with read(self, user_id) as connection:
            with connection.query_logger(note_direct):
                yield connection

    monkeypatch.setattr(DirectReads, "read", logged)
    return seen


@pytest.mark.parametrize(
    ("path", "first", "again"),
    [
        ("gallery/item_names?board_id=none&categories=general&is_intermediate=false", 2, 2),
        ("gallery/items/names", 2, 2),
        ("gallery/items/?limit=100", 3, 2),  # rows, version, count: the count is remembered
        ("images/?limit=100&offset=200", 3, 2),
        ("images/?limit=0&board_id=none", 2, 1),
        ("images/names", 2, 2),
        ("images/intermediates", 1, 1),
        ("boards/?all=true", 2, 1),  # version, boards: these are remembered
        ("virtual_boards/by_date", 1, 1),
        ("/api/v2/models/", 1, 1),
    ],
)
async def test_a_list_is_few_statements(
    many: Gallery, statements: list[tuple[str, Any]], path: str, first: int, again: int
) -> None:
    for expected in (first, again):
        statements.clear()
        answer = await many.subject.get(path if path.startswith("/") else f"/api/v1/{path}")
        assert answer.status_code == 200
        assert len(statements) == expected


async def test_images_by_names_is_one_statement(many: Gallery, statements: list[tuple[str, Any]]) -> None:
    names = (await many.subject.get("/api/v1/gallery/item_names")).json()["item_names"][:1000]
    statements.clear()
    found = await many.subject.post("/api/v1/images/images_by_names", json={"image_names": names})
    assert [image["image_name"] for image in found.json()] == names
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("board", "index"), [("board_id=none&", "ix_images_uncategorised"), ("", "ix_images_gallery")]
)
async def test_names_are_read_in_the_order_of_their_index(
    many: Gallery, api: RunningApi, statements: list[tuple[str, Any]], board: str, index: str
) -> None:
    """What the page asks for needs no sorting and passes over intermediate pictures."""
    query = f"{board}categories=general&is_intermediate=false&order_dir=DESC&search_term=&starred_first=true"
    body = (await many.subject.get(f"/api/v1/gallery/item_names?{query}")).json()
    assert (body["total_count"], len(body["item_names"])) == (SHOWN, SHOWN)
    statement, arguments = statements[-1]
    async with api.services.database.read(many.user_id) as session:
        # Small tables are scanned whole; what matters is that the index fits the question.
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        await session.execute(text("SET LOCAL enable_bitmapscan = off"))
        connection = await session.connection()
        explained = await connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {statement}", tuple(arguments))
        plan = "\n".join(row[0] for row in explained)
    assert index in plan
    assert "Sort" not in plan


async def test_more_pictures_than_a_statement_has_parameters(ada: Gallery, database: TestDatabase) -> None:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(SERIES, [ada.user_id, 33_000])
    cleared = await ada.subject.request("DELETE", "/api/v1/images/uncategorized", timeout=120)
    assert len(cleared.json()["deleted_images"]) == 33_000
    assert (await ada.subject.get("/api/v1/gallery/item_names")).json()["total_count"] == 0
