"""The wire of InvokeAI's gallery: pictures, boards, and the lists of names that its page asks for."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool

MAX_BATCH = 1000  # names in one request, as in InvokeAI
MAX_PAGE = 1000

Kind = Literal["image", "video"]
Origin = Literal["internal", "external"]
Category = Literal["general", "mask", "control", "user", "other"]
Direction = Literal["ASC", "DESC"]
Visibility = Literal["private", "shared", "public"]
Name = Annotated[str, Field(max_length=255)]
Names = Annotated[list[Name], Field(max_length=MAX_BATCH)]
Item = TypeVar("Item")


class ImageDTO(BaseModel):
    """A picture. The URLs are same-origin, signed, and good for an hour or two."""

    image_name: str
    image_url: str
    thumbnail_url: str
    image_origin: Origin
    image_category: Category
    width: int  # pixels
    height: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    is_intermediate: bool
    session_id: str | None
    node_id: str | None
    starred: bool
    has_workflow: bool
    image_subfolder: str = ""
    board_id: str | None


class ImageUrls(BaseModel):
    image_name: str
    image_url: str
    thumbnail_url: str


class ImageChanges(BaseModel):
    """What may change about a picture. `session_id` is set by the job that made it."""

    image_category: Category | None = None
    is_intermediate: StrictBool | None = None
    starred: StrictBool | None = None
    session_id: None = None


class WorkflowAndGraph(BaseModel):
    """Both as JSON texts."""

    workflow: str | None
    graph: str | None


class Page(BaseModel, Generic[Item]):
    limit: int
    offset: int
    total: int
    items: list[Item]


class ImageNames(BaseModel):
    image_names: list[str]
    starred_count: int
    total_count: int


class ItemNames(BaseModel):
    item_names: list[str]
    starred_count: int
    total_count: int


class ItemRef(BaseModel):
    kind: Kind
    name: str


class ItemRefs(BaseModel):
    items: list[ItemRef]
    starred_count: int
    total_count: int


class GalleryItem(BaseModel):
    """A picture or a video. Parameters: duration, fps: seconds and frames a second of a video."""

    kind: Kind
    name: str
    full_url: str
    thumbnail_url: str
    width: int
    height: int
    category: Category
    starred: bool
    is_intermediate: bool
    board_id: str | None
    created_at: datetime
    duration: float | None
    fps: float | None


class NamesBody(BaseModel):
    image_names: Names


class Affected(BaseModel):
    """Parameters: affected_boards: their ids, "none" standing for uncategorised pictures."""

    affected_boards: list[str]
    failed_images: list[str] = []


class DeletedImages(Affected):
    deleted_images: list[str]


class StarredImages(Affected):
    starred_images: list[str]


class UnstarredImages(Affected):
    unstarred_images: list[str]


class AddedImages(Affected):
    added_images: list[str]


class RemovedImages(Affected):
    removed_images: list[str]


class BoardImageBody(BaseModel):
    board_id: Name
    image_name: Name


class BoardImagesBody(BaseModel):
    board_id: Name
    image_names: Names


class ImageNameBody(BaseModel):
    image_name: Name


class BoardDTO(BaseModel):
    board_id: UUID
    board_name: str
    user_id: UUID
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    cover_image_name: str | None
    archived: bool
    board_visibility: Visibility
    cover_video_name: str | None
    image_count: int
    video_count: int
    asset_count: int
    owner_username: str | None = None


BoardName = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00]*$")]


class BoardChanges(BaseModel):
    model_config = ConfigDict(extra="forbid")

    board_name: BoardName | None = None
    cover_image_name: Name | None = None
    archived: bool | None = None
    board_visibility: Visibility | None = None


class DeletedBoard(BaseModel):
    board_id: str
    deleted_board_images: list[str] = []
    deleted_images: list[str] = []
    deleted_board_videos: list[str] = []
    deleted_videos: list[str] = []
    failed_images: list[str] = []
    failed_videos: list[str] = []


class VirtualBoard(BaseModel):
    """The pictures and videos of one day (UTC)."""

    virtual_board_id: str
    board_name: str
    date: date
    image_count: int
    asset_count: int
    video_count: int
    cover_image_name: str | None
    cover_video_name: str | None


class Selection(BaseModel):
    """Which pictures a list holds, and in which order. The query parameters of every list of the gallery.

    Parameters:
        board_id: a board's id; "none" for uncategorised pictures; left out for all.
        search_term: looked for in metadata and in the date, whatever the case.
        created_date: a day in UTC.
    """

    categories: Annotated[list[Category] | None, Query()] = None
    is_intermediate: bool | None = None
    board_id: str | None = Field(default=None, max_length=255)
    order_dir: Direction = "DESC"
    starred_first: bool = True
    search_term: str | None = Field(default=None, max_length=1000, pattern=r"^[^\x00]*$")
    created_date: date | None = None


class StorageUse(BaseModel):
    """Bytes of pictures, videos and models of one's own. Parameters: limit: of the plan; null for none."""

    used: int
    limit: int | None
