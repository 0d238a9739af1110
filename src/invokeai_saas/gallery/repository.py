"""The SQL of pictures. Lists are one statement each, and lists of names become JSON in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Date,
    LargeBinary,
    RowMapping,
    Text,
    any_,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.gallery.schemas import Category, Direction, Kind, Origin
from invokeai_saas.gallery.tables import GalleryState, Image

Session = ReadSession | WriteSession
Uncategorised = Literal["none"]

# All that InvokeAI's page knows of a picture or a video, and where its files lie.
_COLUMNS = (
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


@dataclass(frozen=True)
class Wanted:
    """Which pictures (or videos, or both), and in which order; None leaves a property open."""

    kind: Kind | None = "image"
    origin: Origin | None = None
    categories: Sequence[Category] | None = None
    is_intermediate: bool | None = None
    board_id: UUID | Uncategorised | None = None
    order_dir: Direction = "DESC"
    starred_first: bool = True
    search_term: str | None = None
    created_date: date | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.kind is not None:
            found.append(Image.kind == self.kind)
        if self.origin is not None:
            found.append(Image.image_origin == self.origin)
        if self.categories is not None:
            found.append(Image.image_category.in_(self.categories))
        if self.is_intermediate is not None:
            # Not a parameter: the gallery's index is partial, and a planner must see that it fits.
            found.append(Image.is_intermediate.is_(True) if self.is_intermediate else ~Image.is_intermediate)
        if self.board_id is not None:
            board = None if self.board_id == "none" else self.board_id
            found.append(Image.board_id.is_(None) if board is None else Image.board_id == board)
        if self.created_date is not None:
            found.append(_day() == self.created_date)
        if self.search_term:
            found.append(_mentions(self.search_term))
        return found

    def order(self) -> list[ColumnElement[Any]]:
        columns: list[Any] = [Image.created_at, Image.image_name]
        by_age = [column.desc() if self.order_dir == "DESC" else column.asc() for column in columns]
        return [Image.starred.desc(), *by_age] if self.starred_first else by_age


def _day() -> ColumnElement[date]:
    """The day that a picture was made on, in UTC."""
    return cast(func.timezone("UTC", Image.created_at), Date)


def among(column: InstrumentedAttribute[str], names: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of the names. One parameter however many there are: a statement has a limit."""
    return column == any_(literal(list(names), ARRAY(Text)))


def names_a_video(name: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a name is a video's: it tells by its ending, to InvokeAI's page as well."""
    return name.like("%.mp4")


def _mentions(term: str) -> ColumnElement[bool]:
    """The term in the metadata's text or in the date and time (UTC), whatever the case."""
    moment = func.to_char(func.timezone("UTC", Image.created_at), "YYYY-MM-DD HH24:MI:SS.MS")
    return or_(
        cast(Image.image_metadata, Text).icontains(term, autoescape=True),
        moment.icontains(term, autoescape=True),
    )


async def names_json(session: Session, wanted: Wanted, key: str, *, refs: bool = False) -> bytes:
    """`{key: [names in order], "starred_count": n, "total_count": n}` as the answer's bytes.

    Twenty thousand names are a megabyte: the database writes it, and this process only hands it on.

    Parameters:
        key: what the list is called.
        refs: {"kind": kind, "name": name} rather than the bare name.
    """
    rows = (
        select(Image.image_name, Image.starred, Image.kind)
        .where(*wanted.conditions())
        .order_by(*wanted.order())
        .subquery()
    )
    name = cast(func.to_json(rows.c.image_name), Text)
    kind = literal('{"kind":"') + rows.c.kind + literal('","name":')
    entry = kind + name + literal("}") if refs else name
    starred = func.count().filter(rows.c.starred) if wanted.starred_first else literal(0)
    text = func.concat(
        f'{{"{key}":[',
        func.string_agg(entry, ","),
        '],"starred_count":',
        starred,
        ',"total_count":',
        func.count(),
        "}",
    )
    statement = select(func.convert_to(text, "UTF8", type_=LargeBinary)).select_from(rows)
    return bytes((await session.execute(statement)).scalar_one())


async def names(session: Session, wanted: Wanted) -> list[str]:
    statement = select(Image.image_name).where(*wanted.conditions()).order_by(*wanted.order())
    return list((await session.execute(statement)).scalars())


async def page(session: Session, wanted: Wanted, offset: int, limit: int) -> tuple[int, list[RowMapping]]:
    """(how many there are in all, the rows of one page), in one statement: the count has a row of its own."""
    conditions = wanted.conditions()
    total = select(func.count().label("total")).select_from(Image).where(*conditions).subquery()
    place = func.row_number().over(order_by=wanted.order()).label("place")
    rows = select(*_COLUMNS, place).where(*conditions).order_by(*wanted.order())
    some = rows.offset(offset).limit(limit).subquery()
    statement = select(total.c.total, some).select_from(total.outerjoin(some, true())).order_by(some.c.place)
    found = (await session.execute(statement)).mappings().all()
    return found[0]["total"], [row for row in found if row["image_name"] is not None]


async def by_names(session: Session, names: Sequence[str], kind: Kind = "image") -> list[RowMapping]:
    """The rows of those that are the person's, in no order."""
    statement = select(*_COLUMNS).where(among(Image.image_name, names), Image.kind == kind)
    return list((await session.execute(statement)).mappings())


async def extras(session: Session, name: str, kind: Kind = "image") -> RowMapping | None:
    """What a picture's record carries besides: metadata, workflow, graph."""
    columns = (Image.image_metadata.label("metadata"), Image.workflow, Image.graph)
    statement = select(*columns).where(Image.image_name == name, Image.kind == kind)
    return (await session.execute(statement)).mappings().one_or_none()


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
    day = _day().label("date")
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
