"""Receiving a video: checked by content, measured, stored, and only then a row.

While the file is on its way no transaction is open. It lies in a temporary file once; its size, the person's storage
and their rate have limits; what is read of it in this process is `mp4.py`, and what decodes it is another process.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, suppress
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID, uuid4

import orjson
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from invokeai_saas.db.session import WriteSession
from invokeai_saas.errors import (
    InvalidInput,
    PayloadTooLarge,
    ServiceError,
    Unavailable,
    UnsupportedMediaType,
)
from invokeai_saas.gallery import boards_repository, quota, repository
from invokeai_saas.gallery import service as gallery
from invokeai_saas.gallery.schemas import Category
from invokeai_saas.gallery.service import Row
from invokeai_saas.gallery.videos.mp4 import Facts, NotPlayable, read_facts
from invokeai_saas.gallery.videos.poster import first_frame
from invokeai_saas.queue.jsonwalk import json_problem
from invokeai_saas.services import Services
from invokeai_saas.settings import Settings
from invokeai_saas.storage.keys import image_key, thumbnail_key

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
    async with shared.database.write(user_id) as session:
        if wish.board_id is not None:
            await gallery.require_board_id(session, wish.board_id)
        await quota.require_room(session)
    try:
        async with asyncio.timeout(shared.settings.video_upload_seconds):
            return await _in_turn(request, shared, user_id, wish)
    except TimeoutError as error:
        raise Unavailable("The upload took too long. Please try again on a faster connection.") from error


async def _in_turn(request: Request, shared: Services, user_id: UUID, wish: Wish) -> Row:
    async with shared.video_uploads.turn(user_id), AsyncExitStack() as opened:
        try:
            form = await request.form(max_files=1, max_fields=4, max_part_size=MAX_METADATA_BYTES)
        except HTTPException as error:  # the form's parser speaks to clients through the framework's error
            raise InvalidInput(("file",), f"This form can't be read. {error.detail}") from error
        opened.push_async_callback(form.close)
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            raise InvalidInput(("file",), "Send one MP4 file as the form's `file`.")
        metadata = _metadata(form.get("metadata"))
        file = opened.enter_context(await asyncio.to_thread(_on_disk, upload))
        received = await _look_at(file, metadata, shared.settings)
        return await _keep(shared, user_id, wish, file, received)


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


async def _keep(shared: Services, user_id: UUID, wish: Wish, file: BinaryIO, received: _Received) -> Row:
    """Files first, the row second: no row ever speaks of a file that is not there."""
    name = f"{uuid4()}.mp4"
    keys = image_key(user_id, name), thumbnail_key(user_id, name)
    written = False
    try:
        await shared.objects.put_file(keys[0], file, "video/mp4")
        await shared.objects.put(keys[1], received.poster, "image/webp")
        async with shared.database.write(user_id) as session:
            row = await _record(session, name, keys, wish, received)
            written = True
        return row
    except BaseException:
        # When the commit itself fails nobody knows whether the row is there, so the files stay: the sweep will see.
        if not written:
            await asyncio.shield(_remove(shared, keys))
        raise


async def _record(
    session: WriteSession, name: str, keys: tuple[str, str], wish: Wish, received: _Received
) -> Row:
    size = received.size + len(received.poster)
    # Held before the row is written, whose trigger takes the gallery's lock: who deletes a board takes them so too.
    board_id = await gallery.hold_board(session, wish.board_id) if wish.board_id is not None else None
    await repository.add_upload(
        session,
        kind="video",
        image_name=name,
        image_category=wish.category,
        width=received.facts.width,
        height=received.facts.height,
        duration_seconds=received.facts.duration,
        fps=received.facts.fps,
        session_id=wish.session_id,
        is_intermediate=wish.is_intermediate,
        image_metadata=received.metadata,
        s3_key=keys[0],
        s3_thumbnail_key=keys[1],
        file_size_bytes=size,
    )
    if board_id is not None:
        await boards_repository.place(session, board_id, [name], "video")
    await quota.require_fits(session, size)
    return await gallery.require(session, name, "video")


async def _remove(shared: Services, keys: tuple[str, str]) -> None:
    with suppress(ServiceError):  # what can't be removed now the sweep removes
        await shared.objects.delete(keys)
