"""The rules of boards.

A board is its owner's. Shared, the people of the owner's organisation look at it; public, they put pictures of their
own on it as well. Its name, cover and visibility are the owner's to change, and a picture is changed by whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import orjson

from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import InvalidInput, NotFound
from invokeai_saas.gallery import boards_repository, repository, service
from invokeai_saas.gallery.repository import VIDEO_ENDING, Session
from invokeai_saas.gallery.schemas import (
    AddedImages,
    BoardChanges,
    BoardDTO,
    Category,
    DeletedBoard,
    RemovedImages,
)
from invokeai_saas.gallery.wanted import Wanted
from invokeai_saas.organisations import service as organisations
from invokeai_saas.storage.objects import ObjectStore


def page(every: bytes, offset: int, limit: int) -> dict[str, Any]:
    """A page of a written list of boards: people have tens of them, and the whole list is at hand."""
    items = orjson.loads(every)
    return {"limit": limit, "offset": offset, "total": len(items), "items": items[offset : offset + limit]}


async def require(session: Session, board_id: str) -> BoardDTO:
    """A board that the person may look at. Raises NotFound."""
    return await _dto(session, service.board_uuid(board_id))


async def _dto(session: Session, board_id: UUID) -> BoardDTO:
    own = row = await boards_repository.get(session, board_id)
    if own is None or own["board_visibility"] != "private":
        row = await boards_repository.get(session, board_id, shared=True) or own
    if row is None:
        raise NotFound("This board")
    owner = None if own else (await organisations.names(session)).get(row["user_id"])
    return BoardDTO.model_validate(dict(row) | {"owner_username": owner})


async def create(session: WriteSession, name: str) -> BoardDTO:
    return await _dto(session, await boards_repository.add(session, name))


async def change(session: WriteSession, board_id: str, changes: BoardChanges) -> BoardDTO:
    """Changes what is given.

    Raises:
        NotFound: the board, or the picture for its cover, is not the person's.
        Forbidden: the board is a colleague's.
        NotInPlan: it is to be seen by others, and there is no organisation that shares.
    """
    wanted = await service.require_board_id(session, board_id)
    if changes.board_visibility not in (None, "private"):
        await organisations.require_sharing(session)
    if changes.cover_image_name is not None:
        await service.require(session, changes.cover_image_name)
    values = changes.model_dump(exclude_none=True)
    if values:
        await boards_repository.change(session, wanted, values)
    return await _dto(session, wanted)


async def delete(
    session: WriteSession, objects: ObjectStore, board_id: str, *, include_images: bool
) -> DeletedBoard:
    """Deletes a board; what it holds of its owner's too, or else that becomes uncategorised, as colleagues' does.

    Raises NotFound, and Forbidden for a colleague's board.
    """
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
    board = await service.readable_board(session, board_id)
    wanted = Wanted(
        categories=categories, is_intermediate=is_intermediate, board_id=board.board_id, starred_first=False
    )
    return await repository.names(session, wanted, shared=board.shared)


async def add_image(session: WriteSession, board_id: str, name: str) -> AddedImages:
    """Puts one picture on a board. Raises NotFound when there is neither, and Forbidden for a colleague's."""
    added = await add_images(session, board_id, [name])
    if not added.added_images:
        raise await service.refusal(session, name)
    return added


async def add_images(session: WriteSession, board_id: str, names: Iterable[str]) -> AddedImages:
    """Puts pictures on a board, off any other. Raises NotFound for the board; passes over others' pictures."""
    if board_id == service.NO_BOARD:
        raise InvalidInput(("board_id",), "Take pictures off their board instead of adding them to none.")
    wanted = await service.hold_board(session, board_id)
    placed = await boards_repository.place(session, wanted, service.storable(names))
    affected = [wanted, *(left for _, left in placed)] if placed else []
    return AddedImages(added_images=[name for name, _ in placed], affected_boards=service.boards_of(affected))


async def take_off(session: WriteSession, names: Iterable[str]) -> RemovedImages:
    """Takes one's own pictures off their boards, and anybody's off one's own boards.

    Those of one's own that are on none are done already; others are passed over.
    """
    asked = [name for name in service.storable(names) if not name.endswith(VIDEO_ENDING)]
    mine = {row["image_name"] for row in await repository.by_names(session, asked)}
    left = await boards_repository.take_off(session, asked)
    removed = [name for name in asked if name in mine or name in left]
    affected = {service.NO_BOARD, *map(str, left.values())} if removed else set()
    return RemovedImages(removed_images=removed, affected_boards=sorted(affected))


async def take_one_off(session: WriteSession, name: str) -> RemovedImages:
    """Raises NotFound, and Forbidden for a colleague's on a colleague's board."""
    removed = await take_off(session, [name])
    if not removed.removed_images:
        raise await service.refusal(session, name)
    return removed
