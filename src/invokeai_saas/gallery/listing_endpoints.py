"""InvokeAI's `gallery` and `virtual_boards` lists: what its page draws the gallery from.

Its gallery mixes pictures and videos in one order.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from invokeai_saas.gallery import service
from invokeai_saas.gallery.answers import as_json, names_answer, page_answer
from invokeai_saas.gallery.schemas import (
    MAX_PAGE,
    GalleryItem,
    ImageNames,
    ItemNames,
    ItemRefs,
    Origin,
    Page,
    Selection,
    VirtualBoard,
)
from invokeai_saas.identity.access import Caller, Reader, Shared

router = APIRouter(prefix="/api/v1")


class ItemSelection(Selection):
    """The parameters of lists of pictures and videos."""

    origin: Origin | None = None


class PagedItems(ItemSelection):
    offset: int = Query(default=0, ge=0, le=2**31 - 1)
    limit: int = Query(default=10, ge=0, le=MAX_PAGE)


@router.get("/gallery/item_names", tags=["gallery"], response_model=ItemNames)
async def item_names(
    asked: Annotated[ItemSelection, Query()], request: Request, person: Caller, shared: Shared
) -> Response:
    """All the names, in order: the page keeps them and asks for the details of what is in view."""
    wanted = service.wanted(asked, asked.origin, kind=None)
    return await names_answer(request, shared, person, wanted, "item_names")


@router.get("/gallery/items/names", tags=["gallery"], response_model=ItemRefs)
async def item_refs(
    asked: Annotated[ItemSelection, Query()], request: Request, person: Caller, shared: Shared
) -> Response:
    wanted = service.wanted(asked, asked.origin, kind=None)
    return await names_answer(request, shared, person, wanted, "items", refs=True)


@router.get("/gallery/items/", tags=["gallery"], response_model=Page[GalleryItem])
async def items(
    asked: Annotated[PagedItems, Query()], request: Request, person: Caller, shared: Shared
) -> Response:
    wanted = service.wanted(asked, asked.origin, kind=None)
    return await page_answer(request, shared, person, asked, wanted, service.item_fields)


@router.get("/virtual_boards/by_date", tags=["virtual_boards"], response_model=list[VirtualBoard])
async def days(session: Reader) -> Response:
    """A board for each day (UTC) with pictures or videos, which nobody has to fill."""
    rows = await service.days(session)
    named = [{"virtual_board_id": f"by_date:{row['date']}", "board_name": str(row["date"])} for row in rows]
    return as_json([name | dict(row) for name, row in zip(named, rows, strict=True)])


def _of_day(day: date, asked: Selection) -> Selection:
    return asked.model_copy(update={"created_date": day, "is_intermediate": False, "board_id": None})


@router.get("/virtual_boards/by_date/{date}/image_names", tags=["virtual_boards"], response_model=ImageNames)
async def image_names_of_day(
    date: date, asked: Annotated[Selection, Query()], request: Request, person: Caller, shared: Shared
) -> Response:
    return await names_answer(request, shared, person, service.wanted(_of_day(date, asked)), "image_names")


@router.get("/virtual_boards/by_date/{date}/item_names", tags=["virtual_boards"], response_model=ItemRefs)
async def item_refs_of_day(
    date: date, asked: Annotated[Selection, Query()], request: Request, person: Caller, shared: Shared
) -> Response:
    wanted = service.wanted(_of_day(date, asked), kind=None)
    return await names_answer(request, shared, person, wanted, "items", refs=True)
