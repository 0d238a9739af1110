"""Lists stay one statement, and a cheap one, however many pictures there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text

from invokeai_saas.db.session import Database
from tests.apps import RunningApi
from tests.gallery.people import Gallery
from tests.servers import TestDatabase

PICTURES = 3000
SERIES = """
    INSERT INTO images (image_name, user_id, image_origin, image_category, width, height, s3_key, s3_thumbnail_key,
        file_size_bytes, created_at, starred, is_intermediate)
    SELECT gen_random_uuid() || '.png', %s, 'internal', 'general', 256, 256, 'key' || n, 'thumbnail' || n, 1,
        now() - n * interval '1 second', n %% 50 = 0, n %% 10 = 0
    FROM generate_series(1, %s) n
"""
SHOWN = PICTURES - PICTURES // 10


@pytest.fixture
def many(ada: Gallery, database: TestDatabase) -> Gallery:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(SERIES, [ada.user_id, PICTURES])
        connection.execute("ANALYZE images, board_images")
    return ada


@pytest.fixture
def pools(api: RunningApi) -> Database:
    application: Any = api.app.other_asgi_app  # type: ignore[attr-defined]
    found: Database = application.state.services.database
    return found


@contextmanager
def _statements(pools: Database) -> Iterator[list[tuple[str, Any]]]:
    """What the reader is asked while this is open, without each transaction's setting of its tenant."""
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "set_config" not in statement:
            seen.append((statement, parameters))

    engine = pools.reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "path",
    [
        "gallery/item_names?board_id=none&categories=general&is_intermediate=false",
        "gallery/items/names",
        "gallery/items/?limit=100",
        "images/?limit=100&offset=200",
        "images/?limit=0&board_id=none",
        "images/names",
        "images/intermediates",
        "boards/?all=true",
        "virtual_boards/by_date",
        "/api/v2/models/",
    ],
)
async def test_a_list_is_one_statement(many: Gallery, pools: Database, path: str) -> None:
    with _statements(pools) as seen:
        answer = await many.subject.get(path if path.startswith("/") else f"/api/v1/{path}")
    assert answer.status_code == 200
    assert len(seen) == 1


async def test_images_by_names_is_one_statement(many: Gallery, pools: Database) -> None:
    names = (await many.subject.get("/api/v1/gallery/item_names")).json()["item_names"][:1000]
    with _statements(pools) as seen:
        found = await many.subject.post("/api/v1/images/images_by_names", json={"image_names": names})
    assert [image["image_name"] for image in found.json()] == names
    assert len(seen) == 1


async def test_names_are_read_in_the_order_of_their_index(many: Gallery, pools: Database) -> None:
    """What the page asks for needs no sorting and passes over intermediate pictures."""
    query = "board_id=none&categories=general&is_intermediate=false&order_dir=DESC&search_term=&starred_first=true"
    with _statements(pools) as seen:
        body = (await many.subject.get(f"/api/v1/gallery/item_names?{query}")).json()
    assert (body["total_count"], len(body["item_names"])) == (SHOWN, SHOWN)
    ((statement, parameters),) = seen
    async with pools.read(many.user_id) as session:
        # Small tables are scanned whole; what matters is that the index fits the question.
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        await session.execute(text("SET LOCAL enable_bitmapscan = off"))
        connection = await session.connection()
        plan = "\n".join(
            row[0] for row in await connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {statement}", parameters)
        )
    assert "ix_images_gallery" in plan
    assert "Sort" not in plan


async def test_more_pictures_than_a_statement_has_parameters(ada: Gallery, database: TestDatabase) -> None:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(SERIES, [ada.user_id, 33_000])
    cleared = await ada.subject.request("DELETE", "/api/v1/images/uncategorized", timeout=60)
    assert len(cleared.json()["deleted_images"]) == 33_000
    assert (await ada.subject.get("/api/v1/gallery/item_names")).json()["total_count"] == 0
