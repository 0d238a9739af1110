"""InvokeAI's `images` routes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from invokeai_saas.gallery import service
from invokeai_saas.gallery.answers import as_json, names_answer, page_answer
from invokeai_saas.gallery.schemas import (
    MAX_PAGE,
    DeletedImages,
    ImageChanges,
    ImageDTO,
    ImageNames,
    ImageUrls,
    NamesBody,
    Origin,
    Page,
    Selection,
    StarredImages,
    UnstarredImages,
    WorkflowAndGraph,
)
from invokeai_saas.gallery.wanted import Wanted
from invokeai_saas.identity.access import Caller, MediaCaller, Reader, Shared, Writer
from invokeai_saas.storage.answers import stored_file

router = APIRouter(prefix="/api/v1/images", tags=["images"])


class ImageSelection(Selection):
    """The parameters of lists of pictures alone."""

    image_origin: Origin | None = None


class PagedImages(ImageSelection):
    offset: int = Query(default=0, ge=0, le=2**31 - 1)
    limit: int = Query(default=10, ge=0, le=MAX_PAGE)


@router.get("/", response_model=Page[ImageDTO])
async def list_images(
    asked: Annotated[PagedImages, Query()], request: Request, person: Caller, shared: Shared
) -> Response:
    wanted = service.wanted(asked, asked.image_origin)
    return await page_answer(request, shared, person, asked, wanted, service.dto_fields)


@router.get("/names", response_model=ImageNames)
async def image_names(
    asked: Annotated[ImageSelection, Query()], request: Request, person: Caller, shared: Shared
) -> Response:
    wanted = service.wanted(asked, asked.image_origin)
    return await names_answer(request, shared, person, wanted, "image_names")


@router.post("/images_by_names", response_model=list[ImageDTO])
async def images_by_names(body: NamesBody, session: Reader, shared: Shared) -> Response:
    rows = await service.readable_by_names(session, body.image_names)
    return as_json([service.dto_fields(row, shared.media) for row in rows])


@router.post("/star")
async def star(body: NamesBody, session: Writer) -> StarredImages:
    return await service.star(session, body.image_names)


@router.post("/unstar")
async def unstar(body: NamesBody, session: Writer) -> UnstarredImages:
    return await service.unstar(session, body.image_names)


@router.post("/delete")
async def delete_images(body: NamesBody, session: Writer, shared: Shared) -> DeletedImages:
    return await service.delete_many(session, shared.objects, body.image_names)


@router.delete("/uncategorized")
async def delete_uncategorized(session: Writer, shared: Shared) -> DeletedImages:
    return await service.delete_wanted(session, shared.objects, Wanted(board_id="none"))


@router.get("/intermediates")
async def count_intermediates(session: Reader) -> int:
    return await service.count(session, Wanted(is_intermediate=True))


@router.delete("/intermediates")
async def clear_intermediates(session: Writer, shared: Shared) -> int:
    """Deletes one's own intermediate pictures; InvokeAI keeps this for its administrator, who has everybody's."""
    deleted = await service.delete_wanted(session, shared.objects, Wanted(is_intermediate=True))
    return len(deleted.deleted_images)


@router.get("/i/{image_name}", response_model=ImageDTO)
async def one_image(image_name: str, session: Reader, shared: Shared) -> Response:
    return as_json(service.dto_fields(await service.readable(session, image_name), shared.media))


@router.patch("/i/{image_name}", response_model=ImageDTO)
async def change_image(image_name: str, body: ImageChanges, session: Writer, shared: Shared) -> Response:
    return as_json(service.dto_fields(await service.change(session, image_name, body), shared.media))


@router.delete("/i/{image_name}")
async def delete_image(image_name: str, session: Writer, shared: Shared) -> DeletedImages:
    return await service.delete_one(session, shared.objects, image_name)


@router.get("/i/{image_name}/metadata")
async def metadata(image_name: str, session: Reader) -> dict[str, Any] | None:
    return await service.metadata(session, image_name)


@router.get("/i/{image_name}/workflow")
async def workflow(image_name: str, session: Reader) -> WorkflowAndGraph:
    return await service.workflow(session, image_name)


@router.get("/i/{image_name}/urls")
async def urls(image_name: str, session: Reader, shared: Shared) -> ImageUrls:
    return service.urls(await service.readable(session, image_name), shared.media)


@router.head("/i/{image_name}/full", response_class=Response)
@router.get("/i/{image_name}/full", response_class=Response)
async def full(image_name: str, request: Request, person: MediaCaller, shared: Shared) -> Response:
    """The picture itself, for clients that don't follow `image_url`."""
    async with shared.database.read(person.user_id) as session:
        row = await service.readable(session, image_name)
    answer = await stored_file(request, shared.objects, row["s3_key"], max_age=0)
    answer.headers["Content-Disposition"] = f'inline; filename="{row["image_name"]}"'
    return answer


@router.head("/i/{image_name}/thumbnail", include_in_schema=False)
@router.get("/i/{image_name}/thumbnail", response_class=Response)
async def thumbnail(image_name: str, request: Request, person: MediaCaller, shared: Shared) -> Response:
    async with shared.database.read(person.user_id) as session:
        row = await service.readable(session, image_name)
    return await stored_file(request, shared.objects, row["s3_thumbnail_key"], max_age=0)
