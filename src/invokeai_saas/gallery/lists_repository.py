"""The SQL of the lists that the page asks for again and again, compiled once and read straight from the driver.

A hundred thousand names are four megabytes: the database writes them out, and this process only hands them on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from asyncpg import Connection  # type: ignore[import-untyped]
from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    Uuid,
    bindparam,
    case,
    exists,
    func,
    literal,
    select,
)

from invokeai_saas.db.direct import Compiled
from invokeai_saas.gallery.repository import COLUMNS
from invokeai_saas.gallery.tables import Board, GalleryState, Image
from invokeai_saas.gallery.wanted import Shape, Wanted, conditions, order


class NameList(NamedTuple):
    """Names in order, written as the inside of a JSON list, with what is counted beside them."""

    written: bytes
    starred: int
    total: int


class State(NamedTuple):
    """Of a person's gallery.

    Parameters:
        version: grows with every change of what it shows; 0 where there has been none.
        in_organisation: whether there is anybody who could share something with the person.
    """

    version: int
    in_organisation: bool


@cache
def _state() -> Compiled:
    return Compiled(select(GalleryState.version, GalleryState.in_organisation))


async def state(connection: Connection) -> State:
    row = await connection.fetchrow(_state().text)
    return State(row["version"], row["in_organisation"]) if row else State(0, False)


@cache
def _page(shape: Shape, shared: bool) -> Compiled:
    places = {name: bindparam(name, type_=Integer) for name in ("offset", "limit")}
    statement = select(*COLUMNS).where(*conditions(shape)).order_by(*order(shape))
    return Compiled(statement.offset(places["offset"]).limit(places["limit"]), shared=shared)


async def page(
    connection: Connection, wanted: Wanted, offset: int, limit: int, *, shared: bool = False
) -> Sequence[Mapping[str, Any]]:
    """The rows of one page. Parameters: shared: of what colleagues share rather than of one's own."""
    statement = _page(wanted.shape, shared)
    values = wanted.values() | {"offset": offset, "limit": limit}
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(statement.text, *statement.arguments(values))
    return rows


@cache
def _count(shape: Shape, shared: bool) -> Compiled:
    return Compiled(select(func.count()).select_from(Image).where(*conditions(shape)), shared=shared)


async def count(connection: Connection, wanted: Wanted, *, shared: bool = False) -> int:
    statement = _count(wanted.shape, shared)
    return int(await connection.fetchval(statement.text, *statement.arguments(wanted.values())))


@cache
def _names(shape: Shape, refs: bool, shared: bool) -> Compiled:
    rows = (
        select(Image.image_name, Image.kind, Image.starred)
        .where(*conditions(shape))
        .order_by(*order(shape))
        .subquery()
    )
    # Names need no escaping in JSON: the table refuses any that would.
    if refs:
        kinds = case((rows.c.kind == "video", '{"kind":"video","name":"'), else_='{"kind":"image","name":"')
        written: ColumnElement[str] = func.string_agg(kinds + rows.c.image_name + '"}', ",")
    else:
        written = literal('"') + func.string_agg(rows.c.image_name, '","') + literal('"')
    starred = func.count().filter(rows.c.starred) if shape.starred_first else literal(0)
    # `textsend` hands the text on as the bytes it is; as text it would be decoded here and encoded again.
    return Compiled(
        select(
            func.textsend(written, type_=LargeBinary).label("written"),
            starred.label("starred"),
            func.count().label("total"),
        ).select_from(rows),
        shared=shared,
    )


async def names(
    connection: Connection, wanted: Wanted, *, refs: bool = False, shared: bool = False
) -> NameList:
    """All the names.

    Parameters:
        refs: {"kind": "image", "name": name} rather than the bare name.
        shared: of what colleagues share rather than of one's own.
    """
    statement = _names(wanted.shape, refs, shared)
    row = await connection.fetchrow(statement.text, *statement.arguments(wanted.values()))
    return NameList(row["written"] or b"", row["starred"], row["total"])


@cache
def _is_board(shared: bool) -> Compiled:
    return Compiled(
        select(exists().where(Board.board_id == bindparam("board_id", type_=Uuid))), shared=shared
    )


async def is_board(connection: Connection, board_id: UUID, *, shared: bool = False) -> bool:
    """Whether the person has this board. Parameters: shared: whether the organisation sees it, own or not."""
    statement = _is_board(shared)
    return bool(await connection.fetchval(statement.text, *statement.arguments({"board_id": board_id})))
