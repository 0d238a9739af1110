"""What was uploaded becomes one of a person's pictures or videos: its files, and then its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any
from uuid import UUID

from invokeai_saas.db.session import WriteSession
from invokeai_saas.gallery import boards_repository, quota, repository
from invokeai_saas.gallery import service as gallery
from invokeai_saas.gallery.schemas import Kind
from invokeai_saas.gallery.service import Row
from invokeai_saas.services import Services
from invokeai_saas.storage.keys import image_key, thumbnail_key
from invokeai_saas.storage.recording import unless_recorded


@dataclass(frozen=True)
class Upload:
    """Parameters: size: of `file`, bytes; thumbnail: WebP; columns: of its row, beside those of its files."""

    name: str
    kind: Kind
    media_type: str
    file: IO[bytes]
    size: int
    thumbnail: bytes
    board_id: str | None
    columns: dict[str, Any]


async def require_place(shared: Services, user_id: UUID, board_id: str | None) -> None:
    """Refuses, before the file is read, what would be refused when it has been.

    Raises:
        NotFound: the board is not the person's.
        StorageQuotaExceeded, NotInPlan: see quota.require_room.
    """
    async with shared.database.write(user_id) as session:
        if board_id is not None:
            await gallery.require_place(session, board_id)
        await quota.require_room(session)


async def keep(shared: Services, user_id: UUID, upload: Upload) -> Row:
    """Files first, the row second: no row ever speaks of a file that is not there.

    Raises:
        NotFound: the board is not the person's.
        StorageQuotaExceeded, NotInPlan: see quota.require_fits.
    """
    keys = image_key(user_id, upload.name), thumbnail_key(user_id, upload.name)
    async with unless_recorded(shared.objects, keys) as recording:
        await shared.objects.put_file(keys[0], upload.file, upload.media_type)
        await shared.objects.put(keys[1], upload.thumbnail, "image/webp")
        async with shared.database.write(user_id) as session:
            row = await _record(session, keys, upload)
            recording.done = True
    return row


async def _record(session: WriteSession, keys: tuple[str, str], upload: Upload) -> Row:
    added = upload.size + len(upload.thumbnail)
    # Held before the row is written, whose trigger takes the gallery's lock: who deletes a board takes them so too.
    board_id = await gallery.hold_board(session, upload.board_id) if upload.board_id is not None else None
    await repository.add_upload(
        session,
        kind=upload.kind,
        image_name=upload.name,
        s3_key=keys[0],
        s3_thumbnail_key=keys[1],
        file_size_bytes=added,
        **upload.columns,
    )
    if board_id is not None:
        await boards_repository.place(session, board_id, [upload.name], upload.kind)
    await quota.require_fits(session, added)
    return await gallery.require(session, upload.name, upload.kind)
