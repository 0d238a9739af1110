"""A job context in memory, and what the tests build jobs from."""

from __future__ import annotations

import io
import json
import secrets
import tempfile
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from invokeai_saas.errors import NotFound
from invokeai_saas.worker.contract import (
    ClaimedJob,
    ModelRecord,
    StoredImage,
    StoredVideo,
    local_model_path,
)


@dataclass
class Gallery:
    """Pictures of all people, as the object store and the database hold them."""

    owners: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    records: dict[str, StoredImage] = field(default_factory=dict)
    metadata: dict[str, str | None] = field(default_factory=dict)
    videos: dict[str, StoredVideo] = field(default_factory=dict)


@dataclass
class KeptVideos:
    """Videos of one person among those of all."""

    user_id: str
    gallery: Gallery
    saved: list[dict[str, Any]] = field(default_factory=list)

    def save(self, source: Path, poster: Image.Image, *, video_name: str, **facts: Any) -> StoredVideo:
        self.gallery.owners[video_name] = self.user_id
        self.gallery.files[video_name] = source.read_bytes()
        source.unlink()
        self.saved.append({"video_name": video_name, "poster": poster.size, **facts})
        texts = {name: facts.pop(name) for name in ("metadata", "workflow", "graph")}
        now = datetime.now(UTC)
        record = StoredVideo(
            video_name=video_name,
            video_url=f"/images/{video_name}",
            thumbnail_url=f"/images/thumbnails/{video_name}",
            starred=False,
            has_workflow=bool(texts["workflow"] or texts["graph"]),
            created_at=now,
            updated_at=now,
            **facts,
        )
        self.gallery.videos[video_name] = record
        return record

    def record(self, video_name: str) -> StoredVideo:
        self._check_owner(video_name)
        return self.gallery.videos[video_name]

    def file(self, video_name: str) -> Path:
        self._check_owner(video_name)
        path = Path(tempfile.gettempdir(), video_name)
        path.write_bytes(self.gallery.files[video_name])
        return path

    def _check_owner(self, video_name: str) -> None:
        if self.gallery.owners.get(video_name) != self.user_id or video_name not in self.gallery.videos:
            raise NotFound("This video")


@dataclass
class ListedModels:
    """A model directory over records in a list."""

    records: list[ModelRecord]
    model_dir: Path

    def get(self, key: str) -> ModelRecord:
        for record in self.records:
            if record["key"] == key:
                return record
        raise NotFound("This model")

    def exists(self, key: str) -> bool:
        return any(record["key"] == key for record in self.records)

    def search(
        self,
        name: str | None = None,
        base: str | None = None,
        type: str | None = None,
        format: str | None = None,
    ) -> list[ModelRecord]:
        wanted = {"name": name, "base": base, "type": type, "format": format}
        asked = {attribute: value for attribute, value in wanted.items() if value is not None}
        return [record for record in self.records if asked.items() <= record.items()]

    def local_path(self, record: ModelRecord) -> Path:
        return local_model_path(self.model_dir, record["path"])


@dataclass
class RecordingContext:
    """A context for one person that keeps what the engine says.

    Parameters:
        on_event: called with each event before it is kept; may raise, as a broken connection would.
    """

    user_id: str
    gallery: Gallery
    directory: ListedModels
    on_event: Callable[[str, dict[str, Any]], None] = lambda _name, _payload: None
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    saved: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.films = KeptVideos(self.user_id, self.gallery)

    def videos(self) -> KeptVideos:
        return self.films

    def emit(self, event: str, payload: dict[str, Any]) -> None:
        self.on_event(event, payload)
        self.events.append((event, json.loads(json.dumps(payload))))

    def save_image(self, image: Image.Image, *, image_name: str, **facts: Any) -> StoredImage:
        now = datetime.now(UTC)
        png = io.BytesIO()
        image.save(png, "PNG")
        record = StoredImage(
            image_name=image_name,
            image_url=f"/images/{image_name}",
            thumbnail_url=f"/images/thumbnails/{image_name}",
            width=image.width,
            height=image.height,
            image_origin=facts["image_origin"],
            image_category=facts["image_category"],
            is_intermediate=facts["is_intermediate"],
            node_id=facts["node_id"],
            session_id=facts["session_id"],
            starred=False,
            has_workflow=bool(facts["workflow"] or facts["graph"]),
            board_id=facts["board_id"],
            created_at=now,
            updated_at=now,
        )
        self.gallery.owners[image_name] = self.user_id
        self.gallery.files[image_name] = png.getvalue()
        self.gallery.records[image_name] = record
        self.gallery.metadata[image_name] = facts["metadata"]
        self.saved.append({"image_name": image_name, **facts})
        return record

    def load_image(self, image_name: str) -> Image.Image:
        self._check_owner(image_name)
        return Image.open(io.BytesIO(self.gallery.files[image_name]))

    def image_record(self, image_name: str) -> StoredImage:
        self._check_owner(image_name)
        return self.gallery.records[image_name]

    def image_metadata(self, image_name: str) -> dict[str, Any] | None:
        self._check_owner(image_name)
        metadata = self.gallery.metadata[image_name]
        return None if metadata is None else json.loads(metadata)

    def models(self) -> ListedModels:
        return self.directory

    def named(self, event: str) -> list[dict[str, Any]]:
        """Payloads of the events of one name, in order."""
        return [payload for name, payload in self.events if name == event]

    def pictures(self) -> list[str]:
        """Names of the pictures that this run saved, in order."""
        return [saved["image_name"] for saved in self.saved]

    def _check_owner(self, image_name: str) -> None:
        if self.gallery.owners.get(image_name) != self.user_id or image_name in self.gallery.videos:
            raise NotFound("This image")


def graph(*nodes: dict[str, Any], edges: tuple[tuple[str, str, str, str], ...] = ()) -> dict[str, Any]:
    """Graph JSON. An edge is (source node, its field, destination node, its field)."""
    return {
        "id": "test_graph",
        "nodes": {node["id"]: node for node in nodes},
        "edges": [
            {"source": {"node_id": a, "field": out}, "destination": {"node_id": b, "field": into}}
            for a, out, b, into in edges
        ],
    }


def text_to_image(
    record: ModelRecord, prompt: str = "a red heart", *, seed: int = 1, steps: int = 2, size: int = 64
) -> dict[str, Any]:
    """The smallest graph from a prompt to a picture; quick and ugly unless told otherwise."""
    return graph(
        {"id": "model", "type": "main_model_loader", "model": record},
        {"id": "positive", "type": "compel", "prompt": prompt},
        {"id": "negative", "type": "compel", "prompt": ""},
        {"id": "noise", "type": "noise", "seed": seed, "width": size, "height": size, "use_cpu": True},
        {
            "id": "denoise",
            "type": "denoise_latents",
            "steps": steps,
            "cfg_scale": 6.0,
            "scheduler": "dpmpp_2m",
        },
        {"id": "picture", "type": "l2i", "fp32": True, "is_intermediate": False},
        edges=(
            ("model", "unet", "denoise", "unet"),
            ("model", "clip", "positive", "clip"),
            ("model", "clip", "negative", "clip"),
            ("model", "vae", "picture", "vae"),
            ("positive", "conditioning", "denoise", "positive_conditioning"),
            ("negative", "conditioning", "denoise", "negative_conditioning"),
            ("noise", "noise", "denoise", "noise"),
            ("denoise", "latents", "picture", "latents"),
        ),
    )


def claimed(
    job_graph: dict[str, Any],
    user_id: str = "person-a",
    *,
    name_key: bytes | None = None,
    workflow: dict[str, Any] | None = None,
    attempt_number: int = 1,
) -> ClaimedJob:
    """A claimed job around a graph; a fresh session and key unless told otherwise."""
    return ClaimedJob(
        item_id=secrets.randbelow(2**53),
        user_id=user_id,
        attempt_id=str(uuid.uuid4()),
        attempt_number=attempt_number,
        queue_id="default",
        batch_id=str(uuid.uuid4()),
        session_id=str(uuid.uuid4()),
        origin="generate",
        destination="gallery",
        graph=job_graph,
        workflow=workflow,
        name_key=name_key or secrets.token_bytes(32),
        created_at=datetime.now(UTC),
    )


def never() -> threading.Event:
    """A cancel event that nobody sets."""
    return threading.Event()
