"""A person with pictures, for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tests.apps import Subject
from tests.factories import insert, make_image, make_video
from tests.servers import TestDatabase

EPOCH = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Gallery:
    """A person with pictures."""

    def __init__(self, subject: Subject, database: TestDatabase) -> None:
        assert subject.user_id is not None
        self.subject, self.user_id, self._database = subject, subject.user_id, database

    def add(self, **changes: Any) -> str:
        with psycopg.connect(self._database.owner) as connection:
            return make_image(connection, self.user_id, **changes)

    def add_video(self, **changes: Any) -> str:
        with psycopg.connect(self._database.owner) as connection:
            return make_video(connection, self.user_id, **changes)

    def add_series(self, count: int, **changes: Any) -> list[str]:
        """Pictures, one a minute, oldest first."""
        return [self.add(created_at=EPOCH + timedelta(minutes=n), **changes) for n in range(count)]

    def board(self, *names: str, **changes: Any) -> str:
        with psycopg.connect(self._database.owner) as connection:
            insert(connection, "boards", user_id=self.user_id, board_name="b", **changes)
            row = connection.execute(
                "SELECT board_id FROM boards ORDER BY created_at DESC LIMIT 1"
            ).fetchone()
            assert row is not None
            for name in names:
                insert(connection, "board_images", user_id=self.user_id, board_id=row[0], image_name=name)
        return str(row[0])
