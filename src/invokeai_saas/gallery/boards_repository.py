"""The SQL of boards and of what lies on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import RowMapping, Select, Uuid, case, delete, exists, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert

from invokeai_saas.db.session import WriteSession
from invokeai_saas.gallery.repository import Session, among, names_a_video
from invokeai_saas.gallery.schemas import Direction, Kind
from invokeai_saas.gallery.tables import Board, BoardImage, Image

BoardOrder = Literal["created_at", "board_name"]


def _boards() -> Select[*tuple[Any, ...]]:
    """Boards with what they hold: one pass over the pictures for all of them."""
    picture, general = Image.kind == "image", Image.image_category == "general"
    newest = aggregate_order_by(Image.image_name, Image.starred.desc(), Image.created_at.desc())
    held = (
        select(
            Image.board_id,
            func.count().filter(picture, general).label("image_count"),
            func.count().filter(picture, ~general).label("asset_count"),
            func.count().filter(~picture).label("video_count"),
            func.array_agg(newest)[1].label("newest"),
        )
        .where(~Image.is_intermediate, Image.board_id.is_not(None))
        .group_by(Image.board_id)
        .subquery()
    )
    cover = func.coalesce(Board.cover_image_name, Board.cover_video_name, held.c.newest)
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
        func.coalesce(held.c.image_count, 0).label("image_count"),
        func.coalesce(held.c.video_count, 0).label("video_count"),
        func.coalesce(held.c.asset_count, 0).label("asset_count"),
    ).outerjoin(held, held.c.board_id == Board.board_id)


async def boards(
    session: Session,
    order_by: BoardOrder,
    direction: Direction,
    *,
    archived: bool,
    offset: int = 0,
    limit: int | None = None,
) -> list[RowMapping]:
    """Parameters: archived: archived ones as well."""
    column = Board.board_name if order_by == "board_name" else Board.created_at
    order = column.desc() if direction == "DESC" else column.asc()
    statement = _boards().order_by(order, Board.board_id).offset(offset).limit(limit)
    if not archived:
        statement = statement.where(~Board.archived)
    return list((await session.execute(statement)).mappings())


async def count(session: Session, *, archived: bool) -> int:
    statement = select(func.count()).select_from(Board)
    return (await session.execute(statement if archived else statement.where(~Board.archived))).scalar_one()


async def get(session: Session, board_id: UUID) -> RowMapping | None:
    return (await session.execute(_boards().where(Board.board_id == board_id))).mappings().one_or_none()


async def is_there(session: Session, board_id: UUID) -> bool:
    return bool((await session.execute(select(exists().where(Board.board_id == board_id)))).scalar())


async def hold(session: WriteSession, board_id: UUID) -> bool:
    """Keeps a board from being deleted until this transaction ends; false when it is gone."""
    statement = (
        select(Board.board_id).where(Board.board_id == board_id).with_for_update(read=True, key_share=True)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


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
