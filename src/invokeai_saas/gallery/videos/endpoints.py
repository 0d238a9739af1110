"""InvokeAI's `videos` routes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from invokeai_saas.gallery import service as gallery
from invokeai_saas.gallery.answers import as_json, names_answer, page_answer
from invokeai_saas.gallery.schemas import MAX_PAGE, Category, Origin, Page, Selection, WorkflowAndGraph
from invokeai_saas.gallery.videos import service, uploads
from invokeai_saas.gallery.videos.schemas import (
    AddedVideos,
    DeletedVideos,
    RemovedVideos,
    StarredVideos,
    UnstarredVideos,
    VideoBoardBody,
    VideoChanges,
    VideoDTO,
    VideoNameBody,
    VideoNames,
    VideoNamesBody,
    VideoUrls,
)
from invokeai_saas.identity.access import Caller, MediaCaller, Reader, Shared, Writer, limit_upload
from invokeai_saas.storage.answers import stored_file

UPLOAD_PATH = "/api/v1/videos/upload"
router = APIRouter(prefix="/api/v1/videos", tags=["videos"])
# The form is read by hand, once it is known who sends it; this is what it holds.
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "title": "Body_upload_video",
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {
                        "type": "string",
                        "contentMediaType": "application/octet-stream",
                        "title": "File",
                    },
                    "metadata": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Metadata"},
                },
            }
        }
    },
}


class VideoSelection(Selection):
    """The parameters of lists of videos alone."""

    video_origin: Origin | None = None


class PagedVideos(VideoSelection):
    offset: int = Query(default=0, ge=0, le=2**31 - 1)
    limit: int = Query(default=10, ge=0, le=MAX_PAGE)


@router.get("/", response_model=Page[VideoDTO])
async def list_videos(
    asked: Annotated[PagedVideos, Query()], request: Request, person: Caller, shared: Shared
) -> Response:
    wanted = gallery.wanted(asked, asked.video_origin, kind="video")
    return await page_answer(request, shared, person, asked, wanted, service.dto_fields)


@router.get("/names", response_model=VideoNames)
async def video_names(
    asked: Annotated[VideoSelection, Query()], request: Request, person: Caller, shared: Shared
) -> Response:
    wanted = gallery.wanted(asked, asked.video_origin, kind="video")
    return await names_answer(request, shared, person, wanted, "video_names")


@router.post(
    "/upload",
    status_code=201,
    response_model=VideoDTO,
    openapi_extra={"requestBody": _FORM},
    dependencies=[Depends(limit_upload)],
)
async def upload_video(
    request: Request,
    person: Caller,
    shared: Shared,
    video_category: Category,
    is_intermediate: bool,
    board_id: Annotated[str | None, Query(max_length=255)] = None,
    session_id: Annotated[str | None, Query(max_length=255, pattern=r"^[^\x00]*$")] = None,
) -> Response:
    wish = uploads.Wish(video_category, is_intermediate, board_id, session_id)
    video = service.dto_fields(await uploads.upload(request, shared, person.user_id, wish), shared.media)
    answer = as_json(video)
    answer.status_code = 201
    answer.headers["Location"] = video["video_url"]
    return answer


@router.post("/star")
async def star(body: VideoNamesBody, session: Writer) -> StarredVideos:
    return await service.star(session, body.video_names)


@router.post("/unstar")
async def unstar(body: VideoNamesBody, session: Writer) -> UnstarredVideos:
    return await service.unstar(session, body.video_names)


@router.post("/delete")
async def delete_videos(body: VideoNamesBody, session: Writer, shared: Shared) -> DeletedVideos:
    return await service.delete_many(session, shared.objects, body.video_names)


@router.delete("/uncategorized")
async def delete_uncategorized(session: Writer, shared: Shared) -> DeletedVideos:
    return await service.delete_uncategorized(session, shared.objects)


@router.post("/board")
async def add_to_board(body: VideoBoardBody, session: Writer) -> AddedVideos:
    return await service.place(session, body.board_id, body.video_name)


@router.delete("/board")
async def take_off_board(body: VideoNameBody, session: Writer) -> RemovedVideos:
    return await service.take_off(session, body.video_name)


@router.get("/i/{video_name}", response_model=VideoDTO)
async def one_video(video_name: str, session: Reader, shared: Shared) -> Response:
    return as_json(service.dto_fields(await gallery.readable(session, video_name, "video"), shared.media))


@router.patch("/i/{video_name}", response_model=VideoDTO)
async def change_video(video_name: str, body: VideoChanges, session: Writer, shared: Shared) -> Response:
    return as_json(service.dto_fields(await service.change(session, video_name, body), shared.media))


@router.delete("/i/{video_name}")
async def delete_video(video_name: str, session: Writer, shared: Shared) -> DeletedVideos:
    return await service.delete_one(session, shared.objects, video_name)


@router.get("/i/{video_name}/metadata")
async def metadata(video_name: str, session: Reader) -> dict[str, Any] | None:
    return await gallery.metadata(session, video_name, "video")


@router.get("/i/{video_name}/workflow")
async def workflow(video_name: str, session: Reader) -> WorkflowAndGraph:
    return await gallery.workflow(session, video_name, "video")


@router.get("/i/{video_name}/urls")
async def urls(video_name: str, session: Reader, shared: Shared) -> VideoUrls:
    return service.urls(await gallery.readable(session, video_name, "video"), shared.media)


@router.head("/i/{video_name}/full", response_class=Response)
@router.get("/i/{video_name}/full", response_class=Response)
async def full(video_name: str, request: Request, person: MediaCaller, shared: Shared) -> Response:
    """The video itself, whole or in ranges."""
    async with shared.database.read(person.user_id) as session:
        row = await gallery.readable(session, video_name, "video")
    answer = await stored_file(request, shared.objects, row["s3_key"], max_age=0)
    answer.headers["Content-Disposition"] = f'inline; filename="{row["image_name"]}"'
    return answer


@router.head("/i/{video_name}/thumbnail", include_in_schema=False)
@router.get("/i/{video_name}/thumbnail", response_class=Response)
async def thumbnail(video_name: str, request: Request, person: MediaCaller, shared: Shared) -> Response:
    async with shared.database.read(person.user_id) as session:
        row = await gallery.readable(session, video_name, "video")
    return await stored_file(request, shared.objects, row["s3_thumbnail_key"], max_age=0)
