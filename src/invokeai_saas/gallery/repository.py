"""The SQL of pictures, but for the lists that the page asks for again and again: those are in `lists_repository`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Text,
    any_,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute

from invokeai_saas.db import sharing
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.gallery.schemas import Kind
from invokeai_saas.gallery.tables import GalleryState, Image
from invokeai_saas.gallery.wanted import Wanted, day_of_creation, order

Session = ReadSession | WriteSession

# All that InvokeAI's page knows of a picture or a video, and where its files lie.
COLUMNS = (
    Image.image_name,
    Image.image_origin,
    Image.image_category,
    Image.width,
    Image.height,
    Image.created_at,
    Image.updated_at,
    Image.is_intermediate,
    Image.session_id,
    Image.node_id,
    Image.starred,
    Image.has_workflow,
    Image.s3_key,
    Image.s3_thumbnail_key,
    Image.board_id,
    Image.kind,
    Image.duration_seconds,
    Image.fps,
)


def among(column: InstrumentedAttribute[str], names: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of the names. One parameter however many there are: a statement has a limit."""
    return column == any_(literal(list(names), ARRAY(Text)))


VIDEO_ENDING = ".mp4"


def names_a_video(name: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a name is a video's: it tells by its ending, to InvokeAI's page as well."""
    return name.like(f"%{VIDEO_ENDING}")


async def names(session: Session, wanted: Wanted, *, shared: bool = False) -> list[str]:
    """Parameters: shared: of what colleagues share rather than of one's own."""
    statement = select(Image.image_name).where(*wanted.conditions()).order_by(*order(wanted.shape))
    options = sharing.options(shared=shared)
    return list((await session.execute(statement, execution_options=options)).scalars())


async def by_names(
    session: Session, names: Sequence[str], kind: Kind = "image", *, shared: bool = False
) -> list[RowMapping]:
    """The rows of those that are the person's, in no order. Parameters: shared: that colleagues share."""
    statement = select(*COLUMNS).where(among(Image.image_name, names), Image.kind == kind)
    options = sharing.options(shared=shared)
    return list((await session.execute(statement, execution_options=options)).mappings())


async def extras(
    session: Session, name: str, kind: Kind = "image", *, shared: bool = False
) -> RowMapping | None:
    """What a picture's record carries besides: metadata, workflow, graph. Parameters: shared: of colleagues'."""
    columns = (Image.image_metadata.label("metadata"), Image.workflow, Image.graph)
    statement = select(*columns).where(Image.image_name == name, Image.kind == kind)
    options = sharing.options(shared=shared)
    return (await session.execute(statement, execution_options=options)).mappings().one_or_none()


async def add_upload(session: WriteSession, **values: Any) -> None:
    """Writes the row of a picture, or a video, that came from outside. Its place on a board is another row."""
    kept = {name: null() if value is None else value for name, value in values.items()}
    await session.execute(insert(Image).values(user_id=session.user_id, image_origin="external", **kept))


async def stored_bytes(session: Session) -> int:
    """The size of the person's files, with what this transaction has added."""
    return (await session.execute(select(GalleryState.bytes))).scalar_one_or_none() or 0


async def change(
    session: WriteSession, names: Sequence[str], kind: Kind = "image", **values: Any
) -> list[tuple[str, UUID | None]]:
    """Sets columns of pictures, or of videos: (name, board) of those changed."""
    statement = update(Image).where(among(Image.image_name, names), Image.kind == kind).values(**values)
    result = await session.execute(statement.returning(Image.image_name, Image.board_id))
    return [(row[0], row[1]) for row in result]


@dataclass(frozen=True)
class RemovedImage:
    """A picture whose row is gone, and what is still to be seen to."""

    name: str
    board_id: UUID | None
    keys: tuple[str, str]


async def remove(session: WriteSession, names: Sequence[str], kind: Kind = "image") -> list[RemovedImage]:
    """Deletes rows of pictures, or of videos, and with them their places on boards."""
    statement = delete(Image).where(among(Image.image_name, names), Image.kind == kind)
    result = await session.execute(
        statement.returning(Image.image_name, Image.board_id, Image.s3_key, Image.s3_thumbnail_key)
    )
    return [RemovedImage(row[0], row[1], (row[2], row[3])) for row in result]


async def count(session: Session, wanted: Wanted) -> int:
    statement = select(func.count()).select_from(Image).where(*wanted.conditions())
    return (await session.execute(statement)).scalar_one()


async def days(session: Session) -> list[RowMapping]:
    """Each day (UTC) that has pictures or videos, newest first, with what is of it."""
    day = day_of_creation().label("date")
    picture, general = Image.kind == "image", Image.image_category == "general"
    newest = func.array_agg(aggregate_order_by(Image.image_name, Image.created_at.desc()))[1]
    statement = (
        select(
            day,
            func.count().filter(picture, general).label("image_count"),
            func.count().filter(picture, ~general).label("asset_count"),
            func.count().filter(~picture).label("video_count"),
            case((~names_a_video(newest), newest)).label("cover_image_name"),
            case((names_a_video(newest), newest)).label("cover_video_name"),
        )
        .where(~Image.is_intermediate)
        .group_by(day)
        .order_by(day.desc())
    )
    return list((await session.execute(statement)).mappings())
