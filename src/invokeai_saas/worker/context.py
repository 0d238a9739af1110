"""What one job may reach: its person's pictures, videos and models, its own events. Nothing else."""

from __future__ import annotations

import io
import json
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from PIL import Image

from invokeai_saas.errors import NotFound, Unavailable
from invokeai_saas.observability.tracing import JobTrace
from invokeai_saas.queue.claims import Claim, Claims
from invokeai_saas.queue.jsonwalk import walk
from invokeai_saas.storage.encoding import encode_png, encode_thumbnail
from invokeai_saas.storage.keys import image_key, thumbnail_key
from invokeai_saas.storage.media import MediaSigner
from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.worker import repository
from invokeai_saas.worker.contract import ModelRecord, StoredImage, local_model_path
from invokeai_saas.worker.events import EventStream
from invokeai_saas.worker.modelfiles import ModelFiles
from invokeai_saas.worker.videos import JobVideos

_RECORD_FIELDS = (
    "image_name", "width", "height", "image_origin", "image_category", "is_intermediate", "node_id", "session_id",
    "starred", "has_workflow", "created_at", "updated_at",
)  # fmt: skip
_IDENTIFIER = {"key", "hash", "name", "base", "type"}  # what a graph names a model by
_AWAY = "The database cannot be reached right now."


class PersonModels:
    """The models that the job's person may use, as the database shows them in their tenant context."""

    def __init__(self, claims: Claims, claim: Claim, model_dir: Path, model_files: ModelFiles) -> None:
        self._claims = claims
        self._claim = claim
        self._model_dir = model_dir
        self._model_files = model_files

    def _records(self, **wanted: str | None) -> list[ModelRecord]:
        try:
            with self._claims.tenant(self._claim.user_id) as connection:
                return repository.model_records(connection, **wanted)
        except psycopg.OperationalError as error:
            raise Unavailable(_AWAY) from error

    def get(self, key: str) -> ModelRecord:
        found = self._records(key=key)
        if not found:
            raise NotFound("This model")
        return found[0]

    def exists(self, key: str) -> bool:
        return bool(self._records(key=key))

    def search(
        self,
        name: str | None = None,
        base: str | None = None,
        type: str | None = None,
        format: str | None = None,
    ) -> list[ModelRecord]:
        return self._records(name=name, base=base, type=type, format=format)

    def local_path(self, record: ModelRecord) -> Path:
        try:
            with self._claims.tenant(self._claim.user_id) as connection:
                files = repository.model_files(connection, str(record["key"]))
        except psycopg.OperationalError as error:
            raise Unavailable(_AWAY) from error
        if files:
            return self._model_files.fetch(files)
        return local_model_path(self._model_dir, str(record["path"]))

    def fetch_named(self, graph: dict[str, Any]) -> None:
        """Brings the models that a graph names to this disk. Those that are not there are the engine's to miss."""
        named = {
            part["key"] for part, _ in walk(graph) if isinstance(part, dict) and part.keys() >= _IDENTIFIER
        }
        for key in sorted(key for key in named if isinstance(key, str)):
            for record in self._records(key=key):
                with suppress(NotFound):
                    self.local_path(record)


class DatabaseJobContext:
    """`JobContext` over PostgreSQL, the object store and Redis.

    Files are encoded and uploaded on `pool` while the engine goes on. Their rows are written by the transaction that
    settles the job, and the events that speak of pictures wait for it: before, there is nothing to look at, and a
    job that fails in the end, unpaid, leaves nothing.
    """

    def __init__(
        self,
        claim: Claim,
        claims: Claims,
        objects: ObjectStore,
        media: MediaSigner,
        events: EventStream,
        pool: ThreadPoolExecutor,
        model_dir: Path,
        model_files: ModelFiles,
        trace: JobTrace,
    ) -> None:
        self._claim = claim
        self._trace = trace
        self._claims = claims
        self._objects = objects
        self._media = media
        self._events = events
        self._pool = pool
        self._models = PersonModels(claims, claim, model_dir, model_files)
        self._videos = JobVideos(claim, claims, objects, media, pool)
        self._uploads: list[Future[dict[str, Any]]] = []
        self._held: list[tuple[str, dict[str, Any]]] = []
        # Pictures of this very job are served from memory: a later node must not wait for their upload.
        self._fresh: dict[str, tuple[Image.Image, StoredImage, dict[str, Any] | None]] = {}

    def emit(self, event: str, payload: dict[str, Any]) -> None:
        self._trace.heard(event, payload)
        if event == "invocation_complete" and (self._fresh or self._videos.fresh):
            self._held.append((event, payload))
        else:
            self._events.emit(str(self._claim.user_id), event, payload)

    def release_events(self) -> None:
        """Sends what was held back: the pictures are there now."""
        for event, payload in self._held:
            self._events.emit(str(self._claim.user_id), event, payload)
        self._held.clear()

    def models(self) -> PersonModels:
        return self._models

    def videos(self) -> JobVideos:
        return self._videos

    def close(self) -> None:
        """Ends what the job had on this machine."""
        self._videos.close()

    def save_image(
        self,
        image: Image.Image,
        *,
        image_name: str,
        node_id: str | None,
        session_id: str | None,
        image_origin: str,
        image_category: str,
        is_intermediate: bool,
        board_id: str | None,
        metadata: str | None,
        workflow: str | None,
        graph: str | None,
    ) -> StoredImage:
        user_id, now = self._claim.user_id, datetime.now(UTC)
        stored = StoredImage(
            image_name=image_name,
            image_url=self._media.path(image_key(user_id, image_name)),
            thumbnail_url=self._media.path(thumbnail_key(user_id, image_name)),
            width=image.width,
            height=image.height,
            image_origin=image_origin,
            image_category=image_category,
            is_intermediate=is_intermediate,
            node_id=node_id,
            session_id=session_id,
            starred=False,
            has_workflow=bool(workflow or graph),
            board_id=board_id,
            created_at=now,
            updated_at=now,
        )
        parts = {"invokeai_metadata": metadata, "invokeai_workflow": workflow, "invokeai_graph": graph}
        self._fresh[image_name] = (image, stored, json.loads(metadata) if metadata else None)
        self._uploads.append(self._pool.submit(self._store, image, stored, parts))
        return stored

    def _store(self, image: Image.Image, stored: StoredImage, parts: dict[str, str | None]) -> dict[str, Any]:
        """Encodes and uploads; answers the row that is to be."""
        user_id = self._claim.user_id
        keys = (image_key(user_id, stored.image_name), thumbnail_key(user_id, stored.image_name))
        with io.BytesIO() as out:
            encode_png(image, parts, out)
            png = out.getvalue()
        webp = encode_thumbnail(image)
        self._objects.put_sync(keys[0], png, "image/png")
        self._objects.put_sync(keys[1], webp, "image/webp")
        kept = ("image_name", "image_origin", "image_category", "width", "height", "session_id", "node_id")
        return {
            **{name: getattr(stored, name) for name in kept},
            **{
                name.removeprefix("invokeai_"): json.loads(part) if part else None
                for name, part in parts.items()
            },
            "is_intermediate": stored.is_intermediate,
            "board_id": stored.board_id,
            "s3_key": keys[0],
            "s3_thumbnail_key": keys[1],
            "file_size_bytes": len(png) + len(webp),
        }

    def stored_images(self) -> list[dict[str, Any]]:
        """Waits for the uploads; answers the rows of the pictures and the videos.

        Raises:
            Unavailable: one could not be stored.
        """
        return [upload.result() for upload in self._uploads] + self._videos.stored()

    def drop_files(self) -> None:
        """Removes the files of a job that failed: no row speaks of them."""
        keys = [
            key
            for name in self._fresh
            for key in (image_key(self._claim.user_id, name), thumbnail_key(self._claim.user_id, name))
        ] + self._videos.keys()
        if keys:
            self._pool.submit(self._objects.delete_sync, keys)

    def load_image(self, image_name: str) -> Image.Image:
        if image_name in self._fresh:
            return self._fresh[image_name][0].copy()
        row = self._image_row(image_name)
        with io.BytesIO(self._objects.get_sync(row["s3_key"])) as data:
            image = Image.open(data)
            image.load()
        return image

    def image_record(self, image_name: str) -> StoredImage:
        if image_name in self._fresh:
            return replace(self._fresh[image_name][1])
        row = self._image_row(image_name)
        kept = {name: row[name] for name in _RECORD_FIELDS}
        return StoredImage(
            **kept,
            image_url=self._media.path(row["s3_key"]),
            thumbnail_url=self._media.path(row["s3_thumbnail_key"]),
            board_id=None,
        )

    def image_metadata(self, image_name: str) -> dict[str, Any] | None:
        if image_name in self._fresh:
            return self._fresh[image_name][2]
        metadata: dict[str, Any] | None = self._image_row(image_name)["metadata"]
        return metadata

    def _image_row(self, image_name: str) -> dict[str, Any]:
        try:
            with self._claims.tenant(self._claim.user_id) as connection:
                row = repository.image_row(connection, image_name)
        except psycopg.OperationalError as error:
            raise Unavailable(_AWAY) from error
        if row is None:
            raise NotFound("This picture")
        return row
