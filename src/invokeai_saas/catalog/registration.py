"""Puts shared models on offer: `invokeai-saas admin models scan` finds them, this makes rows of them.

It works as the owner role, because no person may write a model that is not theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from invokeai_saas.audit.operating import note

_SHARED = PurePosixPath("models/shared")
_UPSERT = """
    INSERT INTO models AS m (key, user_id, name, base, type, format, path, hash, file_size, record)
    VALUES (%(key)s, NULL, %(name)s, %(base)s, %(type)s, %(format)s, %(path)s, %(hash)s, %(file_size)s,
        %(record)s)
    ON CONFLICT (user_id, path) DO UPDATE SET
        name = excluded.name, base = excluded.base, type = excluded.type, format = excluded.format,
        hash = excluded.hash, file_size = excluded.file_size,
        record = excluded.record || jsonb_build_object('key', m.key, 'cover_image', m.record -> 'cover_image'),
        missing = false
    RETURNING key, path, (xmax = 0)
"""
# Models of the object store have their files listed, and are looked after by the scheduler.
_MARK = """
    UPDATE models SET missing = true
    WHERE user_id IS NULL AND files = '[]' AND NOT missing AND path <> ALL (%s) RETURNING path
"""
_COLUMNS = ("key", "name", "base", "type", "format", "path", "hash", "file_size")


@dataclass(frozen=True)
class RegisteredModel:
    """Parameters: key: what graphs name it by; path: logical; added: False when it was on offer already."""

    key: str
    path: str
    added: bool


def register_models(
    owner_url: str, records: Iterable[Mapping[str, Any]], *, by_operator: bool = False
) -> list[RegisteredModel]:
    """Adds shared models, or renews what is known of those at the same path: all of them or none.

    A model keeps its key as long as it keeps its path: workflows and pictures' metadata name it by that.

    Parameters:
        owner_url: libpq URL of the owner role.
        records: InvokeAI's model records, with a logical `path` below `models/shared`.
        by_operator: whether somebody asked for it, which the audit log then says.

    Raises ValueError for a record whose path lies elsewhere.
    """
    with psycopg.connect(owner_url) as connection:
        registered = [_register(connection, record) for record in records]
        if by_operator:
            note(connection, "models.scan", "models", "on offer", details={"registered": len(registered)})
        return registered


def mark_missing(owner_url: str, present: Iterable[str]) -> list[str]:
    """Marks the shared models of MODEL_DIR whose files are not there any more; answers their paths.

    They are not removed: pictures and workflows name them, and the files may come back, which registers them again.

    Parameters:
        present: logical paths of all models that a scan of the whole folder has found.
    """
    with psycopg.connect(owner_url) as connection:
        return [row[0] for row in connection.execute(_MARK, [list(present)]).fetchall()]


def _register(connection: psycopg.Connection[Any], record: Mapping[str, Any]) -> RegisteredModel:
    path = PurePosixPath(str(record["path"]))
    if ".." in path.parts or path == _SHARED or not path.is_relative_to(_SHARED):
        raise ValueError(f"{record['path']!r} is not the logical path of a shared model.")
    values = {column: record[column] for column in _COLUMNS} | {"record": Jsonb(dict(record))}
    row = connection.execute(_UPSERT, values).fetchone()
    assert row is not None  # RETURNING of an upsert always has a row
    return RegisteredModel(*row)
