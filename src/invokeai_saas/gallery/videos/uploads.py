"""Receiving a video: checked by content, measured, stored, and only then a row.

While the file is on its way no transaction is open. It lies in a temporary file once; its size, the person's storage
and their rate have limits; what is read of it in this process is `mp4.py`, and what decodes it is another process.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID, uuid4

import orjson
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from invokeai_saas.errors import (
    InvalidInput,
    PayloadTooLarge,
    Unavailable,
    UnsupportedMediaType,
)
from invokeai_saas.gallery.schemas import Category
from invokeai_saas.gallery.service import Row
from invokeai_saas.gallery.uploads.keeping import Upload, keep, require_place
from invokeai_saas.gallery.uploads.receiving import received_form
from invokeai_saas.gallery.videos.mp4 import Facts, NotPlayable, read_facts
from invokeai_saas.gallery.videos.poster import first_frame
from invokeai_saas.queue.jsonwalk import json_problem
from invokeai_saas.services import Services
from invokeai_saas.settings import Settings

MAX_METADATA_BYTES = 1024 * 1024


class Wish(NamedTuple):
    """What the request says of the video besides the file."""

    category: Category
    is_intermediate: bool
    board_id: str | None
    session_id: str | None


class _Received(NamedTuple):
    facts: Facts
    poster: bytes  # WebP
    metadata: dict[str, Any] | None
    size: int  # bytes


async def upload(request: Request, shared: Services, user_id: UUID, wish: Wish) -> Row:
    """Takes a video and answers its row.

    Raises:
        NotFound: the board is not the person's.
        StorageQuotaExceeded, NotInPlan: the plan has no room.
        PayloadTooLarge: the file or its metadata is too large.
        UnsupportedMediaType: not a video that can be played here.
        InvalidInput: the form lacks its file, or says something that makes no sense.
        Unavailable: it took too long, or the store is away.
    """
    await require_place(shared, user_id, wish.board_id)
    try:
        async with asyncio.timeout(shared.settings.video_upload_seconds):
            return await _receive(request, shared, user_id, wish)
    except TimeoutError as error:
        raise Unavailable("The upload took too long. Please try again on a faster connection.") from error


async def _receive(request: Request, shared: Services, user_id: UUID, wish: Wish) -> Row:
    """The file comes to this disk without a turn, and waits for one there: slow senders make nobody wait."""
    async with AsyncExitStack() as opened:
        coming = received_form(
            request, shared, user_id,
            seconds=shared.settings.video_upload_seconds, max_fields=4, max_text=MAX_METADATA_BYTES,
        )  # fmt: skip
        try:
            form = await opened.enter_async_context(coming)
        except HTTPException as error:  # the form's parser speaks to clients through the framework's error
            raise InvalidInput(("file",), f"This form can't be read. {error.detail}") from error
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            raise InvalidInput(("file",), "Send one MP4 file as the form's `file`.")
        metadata = _metadata(form.get("metadata"))
        await opened.enter_async_context(shared.video_uploads.turn(user_id))
        file = opened.enter_context(await asyncio.to_thread(_on_disk, upload))
        received = await _look_at(file, metadata, shared.settings)
        return await keep(shared, user_id, _described(wish, file, received))


def _on_disk(upload: UploadFile) -> BinaryIO:
    """The temporary file under an upload, as a real one and without a buffer: another process moves in it too."""
    spool: Any = upload.file
    spool.rollover()
    return open(spool.fileno(), "rb", buffering=0, closefd=False)


def _metadata(text: object) -> dict[str, Any] | None:
    if text is None or text == "":
        return None
    try:
        found = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise InvalidInput(("metadata",), "Metadata is a JSON object.")
    if problem := json_problem(found, MAX_METADATA_BYTES):
        raise InvalidInput(("metadata",), problem)
    return found


async def _look_at(file: BinaryIO, metadata: dict[str, Any] | None, settings: Settings) -> _Received:
    size = os.fstat(file.fileno()).st_size
    if size > settings.max_video_bytes:
        raise PayloadTooLarge(f"A video may have {settings.max_video_bytes // 2**20} MiB.")
    try:
        facts = await asyncio.to_thread(read_facts, file)
        if facts.duration > settings.max_video_seconds:
            raise NotPlayable(f"A video may be {settings.max_video_seconds / 60:.0f} minutes long.")
        return _Received(facts, await first_frame(file), metadata, size)
    except NotPlayable as error:
        raise UnsupportedMediaType(str(error)) from error


def _described(wish: Wish, file: BinaryIO, received: _Received) -> Upload:
    columns = {
        "image_category": wish.category,
        "is_intermediate": wish.is_intermediate,
        "session_id": wish.session_id,
        "width": received.facts.width,
        "height": received.facts.height,
        "duration_seconds": received.facts.duration,
        "fps": received.facts.fps,
        "image_metadata": received.metadata,
    }
    return Upload(
        f"{uuid4()}.mp4", "video", "video/mp4", file, received.size, received.poster, wish.board_id, columns
    )
