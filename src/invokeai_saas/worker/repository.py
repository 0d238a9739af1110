"""What the job in hand may read, in its person's tenant context. Row-level security decides what is found."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow


def model_records(
    connection: Connection[DictRow],
    *,
    key: str | None = None,
    name: str | None = None,
    base: str | None = None,
    type: str | None = None,
    format: str | None = None,
) -> list[dict[str, Any]]:
    """Records of the models that match every given attribute, by name."""
    rows = connection.execute(
        "SELECT record FROM models"
        " WHERE (%(key)s::text IS NULL OR key = %(key)s) AND (%(name)s::text IS NULL OR name = %(name)s)"
        " AND (%(base)s::text IS NULL OR base = %(base)s) AND (%(type)s::text IS NULL OR type = %(type)s)"
        " AND (%(format)s::text IS NULL OR format = %(format)s) ORDER BY name, key",
        {"key": key, "name": name, "base": base, "type": type, "format": format},
    )
    return [row["record"] for row in rows.fetchall()]


def image_row(connection: Connection[DictRow], name: str, kind: str = "image") -> DictRow | None:
    """A picture's row, or a video's, with the keys of its files."""
    return connection.execute(
        "SELECT image_name, width, height, image_origin, image_category, is_intermediate, node_id, session_id,"
        " starred, has_workflow, created_at, updated_at, metadata, s3_key, s3_thumbnail_key,"
        " duration_seconds, fps, file_size_bytes FROM images WHERE image_name = %s AND kind = %s",
        [name, kind],
    ).fetchone()


def model_files(connection: Connection[DictRow], key: str) -> list[dict[str, Any]]:
    """Which files of a model the object store holds; none for one that lies in MODEL_DIR."""
    row = connection.execute("SELECT files FROM models WHERE key = %s", [key]).fetchone()
    return list(row["files"]) if row else []
