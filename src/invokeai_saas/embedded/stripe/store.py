"""What the local Stripe remembers: objects as JSON in one SQLite file, changed by one request at a time."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import Refused
from .shapes import Obj

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, object TEXT NOT NULL, data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_object ON objects (object, seq);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, endpoint TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL, done INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due) WHERE done = 0;
"""


class Store:
    """Objects by id. Whoever reads or writes holds a transaction.

    Parameters:
        file: made when it is not there.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody beside it. What is refused is undone, but for what the refusal says is kept."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except Refused as refusal:
                self._db.execute("COMMIT" if refusal.kept else "ROLLBACK")
                raise
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def put(self, thing: Obj) -> Obj:
        """Keeps an object, new or changed."""
        self._db.execute(
            "INSERT INTO objects (id, object, data) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET data = excluded.data",
            [thing["id"], thing["object"], json.dumps(thing)],
        )
        return thing

    def find(self, name: str) -> Obj | None:
        """An object by its id."""
        row = self._db.execute("SELECT data FROM objects WHERE id = ?", [name]).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> list[Obj]:
        """Every object of a kind, the newest first."""
        rows = self._db.execute("SELECT data FROM objects WHERE object = ? ORDER BY seq DESC", [kind])
        return [json.loads(row[0]) for row in rows]

    def remove(self, name: str) -> None:
        self._db.execute("DELETE FROM objects WHERE id = ?", [name])

    def answer(self, key: str) -> tuple[str, int, str] | None:
        """What was asked with an idempotency key, and the status and body that were answered."""
        row = self._db.execute("SELECT request, status, body FROM answers WHERE key = ?", [key]).fetchone()
        return (row[0], row[1], row[2]) if row else None

    def keep_answer(self, key: str, request: str, status: int, body: str, at: float) -> None:
        self._db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", [key, request, status, body, at])

    def forget_answers(self, before: float) -> None:
        self._db.execute("DELETE FROM answers WHERE at < ?", [before])

    def queue_delivery(self, event: str, endpoint: str, due: float) -> None:
        self._db.execute(
            "INSERT INTO deliveries (event, endpoint, due) VALUES (?, ?, ?)", [event, endpoint, due]
        )

    def due_delivery(self, now: float) -> tuple[int, str, str, int] | None:
        """A delivery that is due: its number, event, endpoint, and how often it was tried."""
        row = self._db.execute(
            "SELECT id, event, endpoint, tries FROM deliveries WHERE done = 0 AND due <= ? ORDER BY due, id LIMIT 1",
            [now],
        ).fetchone()
        return (row[0], row[1], row[2], row[3]) if row else None

    def deliver_later(self, number: int, due: float) -> None:
        self._db.execute("UPDATE deliveries SET tries = tries + 1, due = ? WHERE id = ?", [due, number])

    def delivered(self, number: int) -> None:
        """Over with: accepted, or given up."""
        self._db.execute("UPDATE deliveries SET tries = tries + 1, done = 1 WHERE id = ?", [number])
