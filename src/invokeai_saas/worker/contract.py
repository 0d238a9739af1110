"""What the worker loop and an engine say to each other.

The loop claims, leases and settles jobs; an engine turns one job into pictures. An engine reaches the world
only through the `JobContext` of the job in hand, so what the context refuses (another person's picture, a
model the person may not use) no graph can get. Nothing here imports torch: the mock engine and the API's
tests use it too.

A context speaks in the errors of `invokeai_saas.errors`. `NotFound` (and any other) fails the job.
`Unavailable`, a backing service that is away, is nobody's fault: the engine abandons the run and lets it
out of `Engine.run`, so that the job can be tried again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

from PIL import Image

ModelRecord = dict[str, Any]
"""InvokeAI's config of one model as JSON, with a logical `path` (`models/shared/...`), never a server's."""


@dataclass(frozen=True)
class ClaimedJob:
    """One claimed attempt at one job.

    Parameters:
        user_id: the person the job runs for; everything it reads and writes is theirs.
        attempt_number: 1 for the first try.
        graph: InvokeAI graph JSON with this job's batch values already applied.
        workflow: the workflow that the page sent along; stored with the pictures.
        name_key: secret of this job; its pictures' names derive from it (see `image_name_for`).
    """

    item_id: int
    user_id: str
    attempt_id: str
    attempt_number: int
    queue_id: str
    batch_id: str
    session_id: str
    origin: str | None
    destination: str | None
    graph: dict[str, Any]
    workflow: dict[str, Any] | None
    name_key: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True)
class StoredImage:
    """A picture's record, field by field InvokeAI's ImageDTO. Sizes are in pixels."""

    image_name: str
    image_url: str
    thumbnail_url: str
    width: int
    height: int
    image_origin: str
    image_category: str
    is_intermediate: bool
    node_id: str | None
    session_id: str | None
    starred: bool
    has_workflow: bool
    board_id: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class StoredVideo:
    """A video's record, field by field InvokeAI's VideoDTO.

    Parameters:
        width, height: pixels.
        duration: seconds.
        fps: frames a second; None where it is unknown.
    """

    video_name: str
    video_url: str
    thumbnail_url: str
    width: int
    height: int
    duration: float
    fps: float | None
    video_origin: str
    video_category: str
    is_intermediate: bool
    node_id: str | None
    session_id: str | None
    starred: bool
    has_workflow: bool
    board_id: str | None
    created_at: datetime
    updated_at: datetime


SHARED_MODELS = PurePosixPath("models/shared")
"""Where models on offer to everybody lie, in records and in the object store. MODEL_DIR is this folder."""


def local_model_path(model_dir: Path, logical_path: str) -> Path:
    """Where MODEL_DIR holds a shared model.

    Parameters:
        logical_path: a record's `path`, e.g. `models/shared/sdxl/base`.

    Raises ValueError for a path that is not below `models/shared`.
    """
    logical = PurePosixPath(logical_path)
    if ".." in logical.parts or not logical.is_relative_to(SHARED_MODELS) or logical == SHARED_MODELS:
        raise ValueError(f"{logical_path!r} is not the logical path of a shared model")
    return model_dir / logical.relative_to(SHARED_MODELS)


class ModelDirectory(Protocol):
    """The models that the job's person may use."""

    def get(self, key: str) -> ModelRecord:
        """The record of one model. Raises NotFound."""
        ...

    def exists(self, key: str) -> bool: ...

    def search(
        self,
        name: str | None = None,
        base: str | None = None,
        type: str | None = None,
        format: str | None = None,
    ) -> list[ModelRecord]:
        """All models that match every given attribute exactly, in a stable order."""
        ...

    def local_path(self, record: ModelRecord) -> Path:
        """Where the model's file or folder lies on this worker, fetched first if need be."""
        ...


class VideoStore(Protocol):
    """The videos of the job's person."""

    def save(
        self,
        source: Path,
        poster: Image.Image,
        *,
        video_name: str,
        width: int,
        height: int,
        duration: float,
        fps: float | None,
        node_id: str | None,
        session_id: str | None,
        video_origin: str,
        video_category: str,
        is_intermediate: bool,
        board_id: str | None,
        metadata: str | None,
        workflow: str | None,
        graph: str | None,
    ) -> StoredVideo:
        """Take a video's file away, an MP4, with a picture that stands for it. The upload goes on behind.

        `metadata`, `workflow` and `graph` are JSON texts. Raises PayloadTooLarge for a file that is too large.
        """
        ...

    def record(self, video_name: str) -> StoredVideo:
        """Raises NotFound, for another person's too."""
        ...

    def file(self, video_name: str) -> Path:
        """A file of this worker with the video in it, fetched first if need be, gone when the job is.

        Raises NotFound, and PayloadTooLarge when the job has fetched too much already.
        """
        ...


class JobContext(Protocol):
    """An engine's only way out while it runs one job. Methods are called from the engine's thread."""

    def emit(self, event: str, payload: dict[str, Any]) -> None:
        """Send one Socket.IO event to the job's person.

        Events keep their order. The call does not wait for uploads: an event emitted after `save_image`
        reaches the person only once that picture is stored, and the implementation sees to it.
        """
        ...

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
        """Take a picture. Returns at once; encoding and upload go on behind.

        The engine hands the picture over and never writes into it again. A name that was saved before (by an
        earlier attempt) is overwritten. `metadata`, `workflow` and `graph` are JSON texts.
        """
        ...

    def load_image(self, image_name: str) -> Image.Image:
        """A picture of the job's person, saved by this job or before. Raises NotFound, for another's too."""
        ...

    def image_record(self, image_name: str) -> StoredImage:
        """Raises NotFound."""
        ...

    def image_metadata(self, image_name: str) -> dict[str, Any] | None:
        """The metadata that was stored with the picture. Raises NotFound."""
        ...

    def models(self) -> ModelDirectory: ...

    def videos(self) -> VideoStore: ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended. All texts may be shown to the person: they hold no path of this server.

    Parameters:
        session: JSON of InvokeAI's final GraphExecutionState, `{}` if the graph never became one.
        error_type, error_message, error_traceback: set when and only when status is "failed".
        node_seconds: wall seconds by node type.
        models_loaded: keys of the models in memory after the run.
    """

    status: Literal["completed", "failed", "canceled"]
    session: str
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None
    node_seconds: dict[str, float] = field(default_factory=dict)
    models_loaded: list[str] = field(default_factory=list)


class Engine(Protocol):
    """Runs one job at a time, on one thread."""

    name: str

    def warm_up(self) -> None:
        """Do whatever would make the first job slower than the second."""
        ...

    def run(self, job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        """Run a job to its end, or to the next step after `cancel` is set.

        A job's own failure (a bad graph, an unknown model, no memory) is an Outcome, never an exception.
        Raises Unavailable if the context did.
        """
        ...

    def loaded_models(self) -> list[str]:
        """Keys of the models in memory now."""
        ...

    def identify(self, path: Path, logical_path: str, said: dict[str, Any]) -> ModelRecord:
        """What a model is. Called between jobs.

        Parameters:
            path: its file or folder on this worker.
            logical_path: what the record says instead.
            said: fields of the record that the person decides.

        Raises InvalidInput for what the engine cannot load.
        """
        ...

    def convert(self, path: Path, record: ModelRecord, target: Path) -> None:
        """Writes a single-file checkpoint as a folder in diffusers' format. Called between jobs.

        Parameters:
            path: the file on this worker.
            record: what it is.
            target: the folder, which is not there yet.

        Raises InvalidInput for what the engine cannot load.
        """
        ...


def image_name_for(
    name_key: bytes, node_id: str, iteration: Sequence[int], index: int, suffix: str = ".png"
) -> str:
    """The name of a picture or a video: unguessable without the job's key, and the same at every attempt.

    Parameters:
        node_id: id of the node in the job's own graph (not of the copy that the engine makes to run it).
        iteration: position in each iterator around the node, outermost first; empty outside of iterators.
        index: how many of them the node saved before this one in this iteration.
    """
    place = json.dumps([node_id, list(iteration), index], separators=(",", ":")).encode()
    digest = hmac.digest(name_key, place, hashlib.sha256)
    return f"{uuid.UUID(bytes=digest[:16], version=4)}{suffix}"
