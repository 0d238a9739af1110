"""The scheduler's SQL on the gallery: functions of the schema's owner, called with the worker's role."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow


def reap_downloads(connection: Connection[DictRow], limit: int) -> list[tuple[UUID, str]]:
    """Fails downloads whose process went silent: (person, name of the item) of each."""
    rows = connection.execute("SELECT owner_id, name FROM gallery_reap_downloads(%s)", [limit])
    return [(row["owner_id"], row["name"]) for row in rows]


def drop_downloads(connection: Connection[DictRow], limit: int) -> list[str]:
    """Forgets downloads whose time is over: the keys of their files."""
    rows = connection.execute("SELECT gallery_drop_downloads(%s) AS key", [limit])
    return [row["key"] for row in rows]


def unnamed_files(connection: Connection[DictRow], keys: Sequence[str]) -> list[str]:
    """Those of the keys that no row names."""
    rows = connection.execute("SELECT gallery_unnamed_files(%s::text[]) AS key", [list(keys)])
    return [row["key"] for row in rows]
