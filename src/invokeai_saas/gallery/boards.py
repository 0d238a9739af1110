"""The rules of boards. Each is its owner's alone: sharing comes with organisations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import orjson

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import InvalidInput, NotFound, NotInPlan
from invokeai_saas.gallery import boards_repository, repository, service
from invokeai_saas.gallery.repository import Session
from invokeai_saas.gallery.schemas import (
    AddedImages,
    BoardChanges,
    BoardDTO,
    Category,
    DeletedBoard,
    RemovedImages,
)
from invokeai_saas.gallery.wanted import Wanted
from invokeai_saas.storage.objects import ObjectStore


def page(every: bytes, offset: int, limit: int) -> dict[str, Any]:
    """A page of a written list of boards: people have tens of them, and the whole list is at hand."""
    items = orjson.loads(every)
    return {"limit": limit, "offset": offset, "total": len(items), "items": items[offset : offset + limit]}


async def require(session: Session, board_id: str) -> BoardDTO:
    """Raises NotFound."""
    return await _dto(session, await service.require_board_id(session, board_id))


async def _dto(session: Session, board_id: UUID) -> BoardDTO:
    row = await boards_repository.get(session, board_id)
    if row is None:
        raise NotFound("This board")
    return BoardDTO.model_validate(dict(row))


async def create(session: WriteSession, name: str) -> BoardDTO:
    return await _dto(session, await boards_repository.add(session, name))


async def change(session: WriteSession, board_id: str, changes: BoardChanges) -> BoardDTO:
    """Changes what is given.

    Raises:
        NotFound: the board, or the picture for its cover, is not the person's.
        NotInPlan: it is to be seen by others.
    """
    wanted = await service.require_board_id(session, board_id)
    if changes.board_visibility not in (None, "private"):
        raise NotInPlan("collaboration", [], "Boards can't be shared yet. Each is seen by its owner alone.")
    if changes.cover_image_name is not None:
        await service.require(session, changes.cover_image_name)
    values = changes.model_dump(exclude_none=True, exclude={"board_visibility"})
    if values:
        await boards_repository.change(session, wanted, values)
    return await _dto(session, wanted)


async def delete(
    session: WriteSession, objects: ObjectStore, board_id: str, *, include_images: bool
) -> DeletedBoard:
    """Deletes a board; what it holds too, or else that becomes uncategorised. Raises NotFound."""
    wanted = await service.require_board_id(session, board_id)
    names = await repository.names(session, Wanted(board_id=wanted))
    videos = await repository.names(session, Wanted(kind="video", board_id=wanted))
    if include_images:
        await service.delete(session, objects, names)
        await service.delete(session, objects, videos, "video")
    await boards_repository.remove(session, wanted)
    if include_images:
        return DeletedBoard(board_id=board_id, deleted_images=names, deleted_videos=videos)
    return DeletedBoard(board_id=board_id, deleted_board_images=names, deleted_board_videos=videos)


async def image_names(
    session: ReadSession, board_id: str, categories: list[Category] | None, is_intermediate: bool | None
) -> list[str]:
    """Names of the pictures on a board, or on none. Raises NotFound."""
    board = await service.board_filter(session, board_id)
    wanted = Wanted(
        categories=categories, is_intermediate=is_intermediate, board_id=board, starred_first=False
    )
    return await repository.names(session, wanted)


async def add_image(session: WriteSession, board_id: str, name: str) -> AddedImages:
    """Puts one picture on a board. Raises NotFound when either is not the person's."""
    added = await add_images(session, board_id, [name])
    if not added.added_images:
        raise NotFound("This picture")
    return added


async def add_images(session: WriteSession, board_id: str, names: Iterable[str]) -> AddedImages:
    """Puts pictures on a board, off any other. Raises NotFound for the board; passes over others' pictures."""
    if board_id == service.NO_BOARD:
        raise InvalidInput(("board_id",), "Take pictures off their board instead of adding them to none.")
    wanted = await service.require_board_id(session, board_id)
    placed = await boards_repository.place(session, wanted, service.storable(names))
    affected = [wanted, *(left for _, left in placed)] if placed else []
    return AddedImages(added_images=[name for name, _ in placed], affected_boards=service.boards_of(affected))


async def take_off(session: WriteSession, names: Iterable[str]) -> RemovedImages:
    """Takes pictures off their boards. Those on none are done already; others' are passed over."""
    mine = [row["image_name"] for row in await service.by_names(session, names)]
    left = await boards_repository.take_off(session, mine)
    affected = {service.NO_BOARD, *map(str, left.values())} if mine else set()
    return RemovedImages(removed_images=mine, affected_boards=sorted(affected))


async def take_one_off(session: WriteSession, name: str) -> RemovedImages:
    """Raises NotFound."""
    removed = await take_off(session, [name])
    if not removed.removed_images:
        raise NotFound("This picture")
    return removed
