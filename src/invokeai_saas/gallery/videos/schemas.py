"""The wire of InvokeAI's `videos` routes."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, StrictBool

from invokeai_saas.gallery.schemas import Category, Name, Names, Origin


class VideoDTO(BaseModel):
    """A video. The URLs are same-origin, signed, and good for an hour or two."""

    video_name: str
    video_url: str
    thumbnail_url: str
    video_origin: Origin
    video_category: Category
    width: int  # pixels
    height: int
    duration: float  # seconds
    fps: float | None  # frames a second
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    is_intermediate: bool
    session_id: str | None
    node_id: str | None
    starred: bool
    has_workflow: bool
    video_subfolder: str = ""
    board_id: str | None


class VideoUrls(BaseModel):
    video_name: str
    video_url: str
    thumbnail_url: str


class VideoNames(BaseModel):
    video_names: list[str]
    starred_count: int
    total_count: int


class VideoChanges(BaseModel):
    """What may change about a video. `session_id` is set by the job that made it."""

    video_category: Category | None = None
    is_intermediate: StrictBool | None = None
    starred: StrictBool | None = None
    session_id: None = None


class VideoNamesBody(BaseModel):
    video_names: Names


class VideoNameBody(BaseModel):
    video_name: Name


class VideoBoardBody(BaseModel):
    board_id: Name
    video_name: Name


class Affected(BaseModel):
    """Parameters: affected_boards: their ids, "none" standing for uncategorised videos."""

    affected_boards: list[str]


class DeletedVideos(Affected):
    deleted_videos: list[str]
    failed_videos: list[str] = []


class StarredVideos(Affected):
    starred_videos: list[str]
    failed_videos: list[str] = []


class UnstarredVideos(Affected):
    unstarred_videos: list[str]
    failed_videos: list[str] = []


class AddedVideos(Affected):
    added_videos: list[str]


class RemovedVideos(Affected):
    removed_videos: list[str]
