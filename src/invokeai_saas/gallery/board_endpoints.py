"""InvokeAI's `boards` and `board_images` routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from invokeai_saas.errors import InvalidInput
from invokeai_saas.gallery import boards
from invokeai_saas.gallery.answers import as_json, json_bytes
from invokeai_saas.gallery.boards_repository import BoardOrder
from invokeai_saas.gallery.schemas import (
    MAX_PAGE,
    AddedImages,
    BoardChanges,
    BoardDTO,
    BoardImageBody,
    BoardImagesBody,
    BoardName,
    Category,
    DeletedBoard,
    Direction,
    ImageNameBody,
    NamesBody,
    Page,
    RemovedImages,
)
from invokeai_saas.identity.access import Caller, Reader, Shared, Writer

router = APIRouter(prefix="/api/v1", tags=["boards"])


@router.get("/boards/", response_model=list[BoardDTO] | Page[BoardDTO])
async def list_boards(
    request: Request,
    person: Caller,
    shared: Shared,
    order_by: BoardOrder = "created_at",
    direction: Direction = "DESC",
    all: bool = False,
    offset: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    limit: Annotated[int | None, Query(ge=0, le=MAX_PAGE)] = None,
    include_archived: bool = False,
) -> Response:
    """All boards, or a page of them."""
    if not all and (offset is None or limit is None):
        raise InvalidInput(("all",), "Ask for all boards, or give both offset and limit.")
    every = await shared.gallery.boards(person.user_id, order_by, direction, archived=include_archived)
    if all:
        return await json_bytes(request, every)
    return as_json(boards.page(every, offset or 0, limit or 0))


@router.post("/boards/", status_code=201)
async def create_board(board_name: Annotated[BoardName, Query()], session: Writer) -> BoardDTO:
    return await boards.create(session, board_name)


@router.get("/boards/{board_id}")
async def one_board(board_id: str, session: Reader) -> BoardDTO:
    return await boards.require(session, board_id)


@router.patch("/boards/{board_id}", status_code=201)
async def change_board(board_id: str, body: BoardChanges, session: Writer) -> BoardDTO:
    return await boards.change(session, board_id, body)


@router.delete("/boards/{board_id}")
async def delete_board(
    board_id: str, session: Writer, shared: Shared, include_images: bool = False
) -> DeletedBoard:
    return await boards.delete(session, shared.objects, board_id, include_images=include_images)


@router.get("/boards/{board_id}/image_names")
async def board_image_names(
    board_id: str,
    session: Reader,
    categories: Annotated[list[Category] | None, Query()] = None,
    is_intermediate: bool | None = None,
) -> list[str]:
    return await boards.image_names(session, board_id, categories, is_intermediate)


@router.post("/board_images/", status_code=201)
async def add_image(body: BoardImageBody, session: Writer) -> AddedImages:
    return await boards.add_image(session, body.board_id, body.image_name)


@router.delete("/board_images/", status_code=201)
async def take_image_off(body: ImageNameBody, session: Writer) -> RemovedImages:
    return await boards.take_one_off(session, body.image_name)


@router.post("/board_images/batch", status_code=201)
async def add_images(body: BoardImagesBody, session: Writer) -> AddedImages:
    return await boards.add_images(session, body.board_id, body.image_names)


@router.post("/board_images/batch/delete", status_code=201)
async def take_images_off(body: NamesBody, session: Writer) -> RemovedImages:
    return await boards.take_off(session, body.image_names)
