"""The rules of uploads: who may, how much, and in which order file and row come into being."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import IO
from uuid import UUID, uuid4

import structlog

from invokeai_saas.db.session import WriteSession
from invokeai_saas.errors import PayloadTooLarge, ServiceError
from invokeai_saas.gallery import boards_repository, quota, repository
from invokeai_saas.gallery import service as gallery
from invokeai_saas.gallery.service import Row
from invokeai_saas.gallery.uploads import pictures
from invokeai_saas.gallery.uploads.pictures import Prepared
from invokeai_saas.gallery.uploads.schemas import UploadParameters, parse_dimensions
from invokeai_saas.services import Services
from invokeai_saas.storage.keys import image_key, thumbnail_key

log = structlog.get_logger(__name__)


async def require_place(shared: Services, user_id: UUID, asked: UploadParameters) -> None:
    """Refuses, before the file is read, what would be refused when it has been.

    Raises:
        NotFound: the board is not the person's.
        StorageQuotaExceeded, NotInPlan: see quota.require_room.
    """
    async with shared.database.write(user_id) as session:
        if asked.board_id is not None:
            await gallery.require_board_id(session, asked.board_id)
        await quota.require_room(session)


async def upload(
    shared: Services,
    user_id: UUID,
    asked: UploadParameters,
    file: IO[bytes],
    size: int,
    resize_to: str | None,
    metadata: str | None,
) -> Row:
    """Keeps a person's picture and answers its row.

    Parameters:
        size: of the file, in bytes.
        resize_to, metadata: JSON texts of the form.

    Raises:
        PayloadTooLarge, UnsupportedMediaType: see pictures.prepare.
        BadRequest: `resize_to` is no size.
        NotFound: the board is not the person's.
        StorageQuotaExceeded, NotInPlan: see quota.require_fits.
    """
    settings = shared.settings
    if size > settings.max_upload_bytes:
        raise PayloadTooLarge(f"A file may be {settings.max_upload_bytes // 2**20} MiB long.")
    request = pictures.Request(
        settings.max_upload_pixels, settings.max_body_bytes, bool(asked.crop_visible),
        parse_dimensions(resize_to), metadata,
    )  # fmt: skip
    async with shared.decodes.turn(user_id):
        prepared = await asyncio.to_thread(pictures.prepare, file, request)
    try:
        return await _keep(shared, user_id, asked, prepared)
    finally:
        prepared.png.close()


async def _keep(shared: Services, user_id: UUID, asked: UploadParameters, prepared: Prepared) -> Row:
    """Files first, the row second: no row ever speaks of a file that is not there."""
    name = f"{uuid4()}.png"
    keys = image_key(user_id, name), thumbnail_key(user_id, name)
    written = False
    try:
        await shared.objects.put_file(keys[0], prepared.png, "image/png")
        await shared.objects.put(keys[1], prepared.thumbnail, "image/webp")
        async with shared.database.write(user_id) as session:
            row = await _record(session, name, keys, asked, prepared)
            written = True
        return row
    except BaseException:
        # When the commit itself fails nobody knows whether the row is there, so the files stay: the sweep will see.
        if not written:
            await asyncio.shield(_remove(shared, keys))
        raise


async def _record(
    session: WriteSession, name: str, keys: tuple[str, str], asked: UploadParameters, prepared: Prepared
) -> Row:
    texts = {chunk.removeprefix("invokeai_"): found for chunk, found in prepared.texts.items()}
    values = {kind: found.value if found else None for kind, found in texts.items()}
    added = prepared.size + len(prepared.thumbnail)
    # Held before the row is written, whose trigger takes the gallery's lock: who deletes a board takes them so too.
    board_id = await gallery.hold_board(session, asked.board_id) if asked.board_id is not None else None
    await repository.add_upload(
        session,
        image_name=name,
        image_category=asked.image_category,
        is_intermediate=asked.is_intermediate,
        session_id=asked.session_id,
        width=prepared.width,
        height=prepared.height,
        image_metadata=values["metadata"],
        workflow=values["workflow"],
        graph=values["graph"],
        has_workflow=bool(texts["workflow"] or texts["graph"]),
        s3_key=keys[0],
        s3_thumbnail_key=keys[1],
        file_size_bytes=added,
    )
    if board_id is not None:
        await boards_repository.place(session, board_id, [name])
    await quota.require_fits(session, added)
    return await gallery.require(session, name)


async def _remove(shared: Services, keys: tuple[str, str]) -> None:
    with suppress(ServiceError):  # what can't be removed now the sweep removes
        await shared.objects.delete(keys)
