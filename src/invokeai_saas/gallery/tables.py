"""Pictures and the boards they are sorted into. The files themselves lie in the object store."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Owner, Uid


class Image(Base):
    """A picture, or a video. Its name is unguessable, ends in .png or .mp4, and derives from its job if one made it."""

    __tablename__ = "images"
    __table_args__ = (
        CheckConstraint("width > 0 AND height > 0", name="size"),
        CheckConstraint("image_name ~ '^[A-Za-z0-9._-]+$'", name="name"),
        CheckConstraint("kind IN ('image', 'video')", name="kind"),
        CheckConstraint("(kind = 'video') = (duration_seconds IS NOT NULL)", name="duration"),
        UniqueConstraint("user_id", "image_name"),
        Index(
            "ix_images_gallery",
            "user_id",
            text("starred DESC"),
            text("created_at DESC"),
            text("image_name DESC"),
            postgresql_include=[
                "image_category",
                "kind",
            ],  # so that a list of names is read from the index alone
            postgresql_where=text("NOT is_intermediate"),
        ),
        Index(
            "ix_images_board",
            "user_id",
            "board_id",
            text("starred DESC"),
            text("created_at DESC"),
            text("image_name DESC"),
            postgresql_include=["image_category", "kind"],
            postgresql_where=text("NOT is_intermediate AND board_id IS NOT NULL"),
        ),
        Index(
            "ix_images_uncategorised",
            "user_id",
            text("starred DESC"),
            text("created_at DESC"),
            text("image_name DESC"),
            postgresql_include=["image_category", "kind"],
            postgresql_where=text("NOT is_intermediate AND board_id IS NULL"),
        ),
        Index("ix_images_user_id_item_id", "user_id", "item_id"),
        Index("ix_images_created_at", "created_at", postgresql_using="brin"),
    )

    image_name: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[Owner]
    image_origin: Mapped[str] = mapped_column(String(50))
    image_category: Mapped[str] = mapped_column(String(50))
    width: Mapped[int]
    height: Mapped[int]
    session_id: Mapped[str | None] = mapped_column(String(255))
    node_id: Mapped[str | None] = mapped_column(String(255))
    item_id: Mapped[int | None] = mapped_column(BigInteger)  # the job that made it
    # `metadata` is taken on a declarative class
    image_metadata: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)
    is_intermediate: Mapped[bool] = mapped_column(server_default=text("false"))
    starred: Mapped[bool] = mapped_column(server_default=text("false"))
    has_workflow: Mapped[bool] = mapped_column(server_default=text("false"))
    workflow: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    graph: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    s3_key: Mapped[str] = mapped_column(String(512))
    s3_thumbnail_key: Mapped[str] = mapped_column(String(512))
    file_size_bytes: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(10), server_default="image")
    duration_seconds: Mapped[float | None]  # of a video
    fps: Mapped[float | None]  # of a video, where it is known
    board_id: Mapped[Uid | None]  # kept by triggers of board_images, which is the truth
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class Board(Base):
    """A person's folder of pictures."""

    __tablename__ = "boards"
    __table_args__ = (
        CheckConstraint("board_visibility IN ('private', 'shared', 'public')", name="visibility"),
        UniqueConstraint("user_id", "board_id"),
        Index("ix_boards_user_id_created_at", "user_id", "created_at"),
    )

    board_id: Mapped[NewId]
    user_id: Mapped[Owner]
    board_name: Mapped[str] = mapped_column(Text)
    cover_image_name: Mapped[str | None] = mapped_column(String(255))
    cover_video_name: Mapped[str | None] = mapped_column(String(255))
    board_visibility: Mapped[str] = mapped_column(String(20), server_default="private")
    archived: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class BoardImage(Base):
    """A picture is on one board at most: its owner's, or a colleague's that is public.

    The keys carry the people, whose picture and whose board it is: checks of foreign keys bypass policies.
    """

    __tablename__ = "board_images"
    __table_args__ = (
        ForeignKeyConstraint(
            ["board_user_id", "board_id"], ["boards.user_id", "boards.board_id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["user_id", "image_name"], ["images.user_id", "images.image_name"], ondelete="CASCADE"
        ),
        Index("ix_board_images_board_user_id_board_id", "board_user_id", "board_id"),
    )

    user_id: Mapped[Uid] = mapped_column(Uuid(as_uuid=True), primary_key=True)
    image_name: Mapped[str] = mapped_column(String(255), primary_key=True)
    board_id: Mapped[Uid]
    board_user_id: Mapped[Uid]  # set by a trigger
    created_at: Mapped[CreatedAt]


class BulkDownload(Base):
    """An archive of many pictures, being prepared or ready to be fetched."""

    __tablename__ = "bulk_downloads"
    __table_args__ = (
        CheckConstraint("state IN ('preparing', 'ready', 'failed')", name="state"),
        CheckConstraint("(state = 'ready') = (file_size_bytes IS NOT NULL)", name="size"),
        CheckConstraint("starts_with(s3_key, 'users/' || user_id || '/downloads/')", name="key"),
        UniqueConstraint("user_id", "item_name"),
        Index("ix_bulk_downloads_alive_until", "alive_until", postgresql_where=text("state = 'preparing'")),
        Index("ix_bulk_downloads_expires_at", "expires_at"),
        Index("ix_bulk_downloads_s3_key", "s3_key"),
    )

    id: Mapped[Uid] = mapped_column(primary_key=True)
    user_id: Mapped[Owner]
    item_name: Mapped[str] = mapped_column(String(400))
    state: Mapped[str] = mapped_column(String(10), server_default="preparing")
    s3_key: Mapped[str] = mapped_column(String(512))
    file_size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    alive_until: Mapped[Moment]  # of the process that prepares it
    expires_at: Mapped[Moment]
    created_at: Mapped[CreatedAt]


class GalleryState(Base):
    """What triggers keep of a person's gallery: a version that grows with each change, and the files' size."""

    __tablename__ = "gallery_state"

    user_id: Mapped[Owner] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    bytes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    in_organisation: Mapped[bool] = mapped_column(server_default=text("false"))
