"""The videos that one job may reach: its person's, as files of this worker while the job runs."""

from __future__ import annotations

import json
import shutil
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from PIL import Image

from invokeai_saas.errors import NotFound, PayloadTooLarge, Unavailable
from invokeai_saas.queue.claims import Claim, Claims
from invokeai_saas.storage.encoding import encode_thumbnail
from invokeai_saas.storage.keys import image_key, thumbnail_key
from invokeai_saas.storage.media import MediaSigner
from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.worker import repository
from invokeai_saas.worker.contract import StoredVideo

MAX_FETCHED_BYTES = 4 * 1024**3  # of all videos that one job reads
MAX_SAVED_BYTES = 1024**3  # of one that it makes
_TEXTS = ("metadata", "workflow", "graph")
_AWAY = "The database cannot be reached right now."


class JobVideos:
    """`VideoStore` over PostgreSQL and the object store.

    As with pictures, files are uploaded on `pool` while the engine goes on, and rows are written by the transaction
    that settles the job.
    """

    def __init__(
        self, claim: Claim, claims: Claims, objects: ObjectStore, media: MediaSigner, pool: ThreadPoolExecutor
    ) -> None:
        self._claim, self._claims = claim, claims
        self._objects, self._media, self._pool = objects, media, pool
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._fetched = 0
        self._uploads: list[Future[dict[str, Any]]] = []
        self.fresh: dict[str, StoredVideo] = {}  # made by this job

    def save(self, source: Path, poster: Image.Image, *, video_name: str, **facts: Any) -> StoredVideo:
        if source.stat().st_size > MAX_SAVED_BYTES:
            raise PayloadTooLarge(f"A video may have {MAX_SAVED_BYTES // 2**20} MiB. Make a shorter one.")
        texts = {name: facts.pop(name) for name in _TEXTS}
        user_id, now = self._claim.user_id, datetime.now(UTC)
        stored = StoredVideo(
            video_name=video_name,
            video_url=self._media.path(image_key(user_id, video_name)),
            thumbnail_url=self._media.path(thumbnail_key(user_id, video_name)),
            starred=False,
            has_workflow=bool(texts["workflow"] or texts["graph"]),
            created_at=now,
            updated_at=now,
            **facts,
        )
        kept = self._place(video_name)
        shutil.move(source, kept)
        self.fresh[video_name] = stored
        self._uploads.append(self._pool.submit(self._store, kept, poster, stored, texts))
        return stored

    def _store(
        self, file: Path, poster: Image.Image, stored: StoredVideo, texts: dict[str, str | None]
    ) -> dict[str, Any]:
        """Uploads; answers the row that is to be."""
        keys = self._keys(stored.video_name)
        webp = encode_thumbnail(poster)
        with file.open("rb") as opened:
            self._objects.put_file_sync(keys[0], opened, "video/mp4")
        self._objects.put_sync(keys[1], webp, "image/webp")
        same = ("width", "height", "fps", "session_id", "node_id", "is_intermediate", "board_id")
        return {
            **{name: getattr(stored, name) for name in same},
            **{name: json.loads(text) if text else None for name, text in texts.items()},
            "kind": "video",
            "image_name": stored.video_name,
            "image_origin": stored.video_origin,
            "image_category": stored.video_category,
            "duration_seconds": stored.duration,
            "s3_key": keys[0],
            "s3_thumbnail_key": keys[1],
            "file_size_bytes": file.stat().st_size + len(webp),
        }

    def stored(self) -> list[dict[str, Any]]:
        """Waits for the uploads; answers the rows. Raises Unavailable when one could not be stored."""
        return [upload.result() for upload in self._uploads]

    def keys(self) -> list[str]:
        """Of the files of what this job made."""
        return [key for name in self.fresh for key in self._keys(name)]

    def record(self, video_name: str) -> StoredVideo:
        if video_name in self.fresh:
            return self.fresh[video_name]
        row = self._row(video_name)
        same = (
            "width", "height", "fps", "is_intermediate", "node_id", "session_id", "starred", "has_workflow",
            "created_at", "updated_at",
        )  # fmt: skip
        return StoredVideo(
            video_name=row["image_name"],
            video_url=self._media.path(row["s3_key"]),
            thumbnail_url=self._media.path(row["s3_thumbnail_key"]),
            duration=row["duration_seconds"],
            video_origin=row["image_origin"],
            video_category=row["image_category"],
            board_id=None,
            **{name: row[name] for name in same},
        )

    def file(self, video_name: str) -> Path:
        row = None if video_name in self.fresh else self._row(video_name)
        kept = self._place(video_name)
        if row is None or kept.exists():
            return kept
        self._fetched += row["file_size_bytes"]
        if self._fetched > MAX_FETCHED_BYTES:
            raise PayloadTooLarge(f"The videos of one job may have {MAX_FETCHED_BYTES // 2**30} GiB in all.")
        half = kept.with_suffix(".part")
        self._objects.get_file_sync(row["s3_key"], half)
        half.rename(kept)
        return kept

    def close(self) -> None:
        """Removes the files from this worker. Uploads that go on have theirs open."""
        if self._folder is not None:
            with suppress(OSError):
                self._folder.cleanup()

    def _place(self, video_name: str) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="invokeai-saas-job-")
        return Path(self._folder.name, Path(video_name).name)

    def _keys(self, video_name: str) -> tuple[str, str]:
        return image_key(self._claim.user_id, video_name), thumbnail_key(self._claim.user_id, video_name)

    def _row(self, video_name: str) -> dict[str, Any]:
        try:
            with self._claims.tenant(self._claim.user_id) as connection:
                row = repository.image_row(connection, video_name, "video")
        except psycopg.OperationalError as error:
            raise Unavailable(_AWAY) from error
        if row is None:
            raise NotFound("This video")
        return row
