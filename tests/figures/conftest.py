"""Books over a connection whose work is dropped afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.figures.books import Books
from tests.servers import TestDatabase


@pytest.fixture
def books(database: TestDatabase) -> Iterator[Books]:
    with psycopg.connect(database.owner) as connection:
        yield Books(connection)
        connection.rollback()
