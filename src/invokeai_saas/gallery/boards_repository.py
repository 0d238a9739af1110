"""The SQL of boards and of what lies on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, cast
from uuid import UUID

from asyncpg import Connection  # type: ignore[import-untyped]
from sqlalchemy import RowMapping, Select, Uuid, case, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from invokeai_saas.db import sharing
from invokeai_saas.db.direct import Compiled
from invokeai_saas.db.session import WriteSession
from invokeai_saas.gallery.repository import Session, among, names_a_video
from invokeai_saas.gallery.schemas import Direction, Kind, Visibility
from invokeai_saas.gallery.tables import Board, BoardImage, Image

BoardOrder = Literal["created_at", "board_name"]


def boards_with_contents(*, shared: bool = False) -> Select[Any]:
    """Boards with what they hold: one pass over what lies on boards, for all of them.

    Parameters:
        shared: to be executed for what colleagues share. A colleague's board then shows no cover that lies elsewhere.
    """
    general, picture = Image.image_category == "general", Image.kind == "image"
    newest: list[Any] = [Image.starred.desc(), Image.created_at.desc(), Image.image_name.desc()]
    held = (
        select(
            Image.board_id,
            func.count().filter(general & picture).label("image_count"),
            func.count().filter(~general & picture).label("asset_count"),
            func.count().filter(~picture).label("video_count"),
        )
        .where(~Image.is_intermediate, Image.board_id.is_not(None))
        .group_by(Image.board_id)
        .subquery()
    )

    newest_here = (
        select(Image.image_name)
        .where(Image.board_id == Board.board_id, ~Image.is_intermediate)
        .order_by(*newest)
        .limit(1)
        .correlate(Board)
        .scalar_subquery()
    )
    chosen: Any = func.coalesce(Board.cover_image_name, Board.cover_video_name)
    if shared:
        here = select(Image.image_name).where(Image.image_name == chosen, Image.board_id == Board.board_id)
        chosen = case(
            (Board.user_id == func.app_user(), chosen), else_=here.correlate(Board).scalar_subquery()
        )
    cover = func.coalesce(chosen, newest_here)

    def held_or_none(name: str) -> Any:
        return func.coalesce(held.c[name], 0).label(name)

    return select(
        Board.board_id,
        Board.board_name,
        Board.user_id,
        Board.created_at,
        Board.updated_at,
        Board.archived,
        Board.board_visibility,
        case((~names_a_video(cover), cover)).label("cover_image_name"),
        case((names_a_video(cover), cover)).label("cover_video_name"),
        held_or_none("image_count"),
        held_or_none("asset_count"),
        held_or_none("video_count"),
    ).outerjoin(held, held.c.board_id == Board.board_id)


@cache
def _list(order_by: BoardOrder, direction: Direction, archived: bool, shared: bool) -> Compiled:
    column = Board.board_name if order_by == "board_name" else Board.created_at
    statement = boards_with_contents(shared=shared).order_by(
        column.desc() if direction == "DESC" else column.asc(), Board.board_id
    )
    return Compiled(statement if archived else statement.where(~Board.archived), shared=shared)


async def boards(
    connection: Connection,
    order_by: BoardOrder,
    direction: Direction,
    *,
    archived: bool,
    shared: bool = False,
) -> Sequence[Mapping[str, Any]]:
    """Every board of the person.

    Parameters:
        archived: archived ones as well.
        shared: those that the organisation sees instead, with what everybody has put on them.
    """
    statement = _list(order_by, direction, archived, shared)
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(statement.text, *statement.arguments({}))
    return rows


async def get(session: Session, board_id: UUID, *, shared: bool = False) -> RowMapping | None:
    """Parameters: shared: one that the organisation sees, with what everybody has put on it."""
    statement = boards_with_contents(shared=shared).where(Board.board_id == board_id)
    options = sharing.options(shared=shared)
    row: RowMapping | None = (
        (await session.execute(statement, execution_options=options)).mappings().one_or_none()
    )
    return row


async def visibility(session: Session, board_id: UUID, *, shared: bool = False) -> Visibility | None:
    """Of a board of the person; None when they have no such board. Parameters: shared: or of one that they see."""
    statement = select(Board.board_visibility).where(Board.board_id == board_id)
    options = sharing.options(shared=shared)
    found: Any = (await session.execute(statement, execution_options=options)).scalar_one_or_none()
    return cast("Visibility | None", found)


async def hold(session: WriteSession, board_id: UUID) -> bool:
    """Keeps a board from being deleted until this transaction ends; false when it is gone."""
    statement = (
        select(Board.board_id).where(Board.board_id == board_id).with_for_update(read=True, key_share=True)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def hold_open(session: WriteSession, board_id: UUID) -> bool:
    """The same for a colleague's board that takes pictures, which it then does until this transaction ends."""
    return bool((await session.execute(select(func.sharing_hold_board(board_id)))).scalar_one())


async def add(session: WriteSession, name: str) -> UUID:
    statement = insert(Board).values(user_id=session.user_id, board_name=name).returning(Board.board_id)
    return (await session.execute(statement)).scalar_one()


async def change(session: WriteSession, board_id: UUID, values: dict[str, Any]) -> None:
    await session.execute(update(Board).where(Board.board_id == board_id).values(**values))


async def remove(session: WriteSession, board_id: UUID) -> None:
    await session.execute(delete(Board).where(Board.board_id == board_id))


async def place(
    session: WriteSession, board_id: UUID, names: Sequence[str], kind: Kind = "image"
) -> list[tuple[str, UUID | None]]:
    """Puts pictures (or videos) on a board, off any other: those that are the person's, with where they were."""
    before = select(BoardImage.image_name, BoardImage.board_id).where(among(BoardImage.image_name, names))
    left = {row[0]: row[1] for row in await session.execute(before)}
    rows = select(Image.user_id, Image.image_name, literal(board_id, Uuid)).where(
        among(Image.image_name, names), Image.kind == kind
    )
    statement = upsert(BoardImage).from_select(["user_id", "image_name", "board_id"], rows)
    placed = statement.on_conflict_do_update(
        index_elements=["user_id", "image_name"], set_={"board_id": statement.excluded.board_id}
    ).returning(BoardImage.image_name)
    return [(name, left.get(name)) for name in (await session.execute(placed)).scalars()]


async def take_off(session: WriteSession, names: Sequence[str]) -> dict[str, UUID]:
    """Takes pictures off their boards: which was on which."""
    statement = delete(BoardImage).where(among(BoardImage.image_name, names))
    rows = await session.execute(statement.returning(BoardImage.image_name, BoardImage.board_id))
    return {row[0]: row[1] for row in rows}
