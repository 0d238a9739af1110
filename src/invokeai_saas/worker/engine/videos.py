"""InvokeAI's service of videos: the job's person's, and nobody else's.

Nodes that work on videos decode and encode with ffmpeg in processes of their own, which InvokeAI bounds in memory and
patience; what is left to us is whose videos they get, and how large the frames may be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invokeai.app.services.image_records.image_records_common import ImageCategory, ResourceOrigin
from invokeai.app.services.video_records.video_records_common import VideoRecordNotFoundException
from invokeai.app.services.videos.videos_base import VideoServiceABC
from invokeai.app.services.videos.videos_common import VideoDTO
from invokeai.app.util.video_thumbnails import extract_video_frame, probe_video
from PIL import Image
from typing_extensions import override

from invokeai_saas.errors import NotFound
from invokeai_saas.worker.contract import StoredVideo, VideoStore
from invokeai_saas.worker.engine.absent import refuses_the_rest
from invokeai_saas.worker.engine.running import Desk

MAX_PIXELS = 4096 * 2304  # of a frame that is worked on: an encoder holds some dozens of them
_NAME_SUFFIX = ".mp4"


@refuses_the_rest
class Videos(VideoServiceABC):  # type: ignore[misc]
    """Videos of the job's person, and of nobody else."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    @override
    def create(
        self,
        source_path: Path,
        width: int,
        height: int,
        duration: float,
        fps: float | None,
        video_origin: ResourceOrigin,
        video_category: ImageCategory,
        node_id: str | None = None,
        session_id: str | None = None,
        board_id: str | None = None,
        is_intermediate: bool | None = False,
        metadata: str | None = None,
        workflow: str | None = None,
        graph: str | None = None,
        user_id: str | None = None,
        first_frame: Image.Image | None = None,
    ) -> VideoDTO:
        run = self._desk.run
        if node_id is None:
            raise ValueError("A video needs the node that made it.")
        _check_size(width, height)
        poster = first_frame or extract_video_frame(source_path, frame_index=0)
        if poster is None:
            raise ValueError("The video that was made can't be decoded.")
        # The page's own workflow is kept as it came: InvokeAI's model of it would drop what it doesn't know.
        workflow = json.dumps(run.job.workflow) if run.job.workflow else None
        with run.outside() as context:
            stored = context.videos().save(
                source_path,
                poster,
                video_name=run.next_name(node_id, _NAME_SUFFIX),
                width=width,
                height=height,
                duration=duration,
                fps=fps,
                node_id=node_id,
                session_id=session_id,
                video_origin=video_origin.value,
                video_category=video_category.value,
                is_intermediate=bool(is_intermediate),
                board_id=board_id,
                metadata=metadata,
                workflow=workflow,
                graph=graph,
            )
        return _dto(stored)

    @override
    def get_dto(self, video_name: str) -> VideoDTO:
        with self._of_the_person() as videos:
            return _dto(videos.record(video_name))

    @override
    def get_path(self, video_name: str, thumbnail: bool = False) -> str:
        if thumbnail:
            raise ValueError("Nodes work on videos, not on their thumbnails.")
        with self._of_the_person() as videos:
            path = videos.file(video_name)
        width, height, _, _ = probe_video(path)  # as it is: the record has what the file says of itself
        _check_size(width, height)
        return str(path)

    @contextmanager
    def _of_the_person(self) -> Iterator[VideoStore]:
        try:
            with self._desk.run.outside() as context:
                yield context.videos()
        except NotFound as error:
            raise VideoRecordNotFoundException("The video was not found.") from error


def _check_size(width: int, height: int) -> None:
    """Raises ValueError for frames that are too large to be worked on."""
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"Frames of {width:,} x {height:,} pixels are too large to work on; {MAX_PIXELS:,} in all are possible."
        )


def _dto(stored: StoredVideo) -> VideoDTO:
    return VideoDTO.model_validate(stored, from_attributes=True)
