"""InvokeAI's `images/download`: asked for, prepared beside the requests, announced by an event, fetched."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, BackgroundTasks, Response
from fastapi.responses import StreamingResponse

from invokeai_saas.gallery.downloads import service
from invokeai_saas.gallery.downloads.schemas import DownloadRequest, DownloadStarted
from invokeai_saas.identity.access import MediaCaller, Shared, Writer

router = APIRouter(prefix="/api/v1/images/download", tags=["images"])


@router.post("", status_code=202)
async def download_images(
    asked: DownloadRequest, session: Writer, shared: Shared, after_the_answer: BackgroundTasks
) -> DownloadStarted:
    """Begins to prepare a download once the answer is out: its events must not come before it."""
    download = await service.request(session, shared.settings, asked)
    after_the_answer.add_task(shared.downloads.start, download)
    return DownloadStarted(bulk_download_item_name=download.item_name)


@router.get("/{bulk_download_item_name}", response_class=Response)
async def download(bulk_download_item_name: str, person: MediaCaller, shared: Shared) -> Response:
    """The archive, piece by piece. It can be fetched again until its time is over."""
    async with shared.database.write(person.user_id) as session:
        key = await service.ready(session, bulk_download_item_name)
    stored = await shared.objects.open(key)
    headers = {
        "Content-Length": str(stored.size),
        "Content-Disposition": _disposition(bulk_download_item_name),
        "Cache-Control": "private, no-cache",
    }
    return StreamingResponse(stored.chunks, media_type="application/zip", headers=headers)


def _disposition(name: str) -> str:
    """RFC 6266: names beyond ASCII in the form of RFC 8187."""
    return f'inline; filename="{name}"' if name.isascii() else f"inline; filename*=UTF-8''{quote(name)}"
