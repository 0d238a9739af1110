"""The rules of downloads of many pictures: what may go into one, how many, and who may fetch it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from invokeai_saas.db.session import WriteSession
from invokeai_saas.errors import BadRequest, Conflict, NotFound, PayloadTooLarge
from invokeai_saas.gallery import boards
from invokeai_saas.gallery import service as gallery
from invokeai_saas.gallery.downloads import repository
from invokeai_saas.gallery.downloads.runner import LEASE, Download
from invokeai_saas.gallery.downloads.schemas import DownloadRequest
from invokeai_saas.gallery.service import NO_BOARD
from invokeai_saas.settings import Settings
from invokeai_saas.storage.keys import download_key

_LONGEST_BOARD_NAME = 200  # characters of it in a file's name


async def request(session: WriteSession, settings: Settings, asked: DownloadRequest) -> Download:
    """Records a download that is to be prepared once this is committed.

    Raises:
        BadRequest: it names nothing.
        NotFound: the board, or one of the pictures, is neither the person's nor shared with them.
        PayloadTooLarge: the pictures are too many for one download.
        Conflict: too many are being prepared (code `too_many_downloads`).
    """
    label, shared = "", False
    if asked.board_id is not None:
        board, shared = await gallery.readable_board(session, asked.board_id)
        label = await _board_label(session, asked.board_id)
        pictures = repository.of_board(board)
        _, size = await repository.measure(session, pictures, shared=shared)
    elif asked.image_names:
        names = list(dict.fromkeys(asked.image_names))
        known = gallery.storable(names)
        pictures = repository.of_names(known)
        count, size = await repository.measure(session, pictures)
        if count < len(names):  # a selection of the page's is of one board: all of them are shared, if any is
            shared = True
            count, size = await repository.measure(session, pictures, shared=True)
        if count < len(names):
            raise NotFound("This picture")
    else:
        raise BadRequest("No images or board id specified.")
    _check_size(size, settings.max_download_bytes)
    if await repository.count_preparing(session) >= settings.max_downloads:
        raise Conflict(
            f"{settings.max_downloads} downloads are being prepared for you. Wait until one is ready.",
            code="too_many_downloads",
        )
    download_id = uuid4()
    download = Download(download_id, session.user_id, f"{label}{download_id}.zip", pictures, shared)
    await repository.keep_newest(session, settings.max_downloads - 1)
    await repository.add(
        session,
        download.id,
        download.item_name,
        download_key(session.user_id, download.id),
        lease=LEASE,
        kept=timedelta(seconds=settings.download_seconds),
    )
    return download


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLarge(
            f"These pictures come to {size / 2**30:.1f} GB; one download may have {limit / 2**30:.0f} GB."
            " Choose fewer of them.",
            data={"size": size, "limit": limit},
        )


async def _board_label(session: WriteSession, board_id: str) -> str:
    """The board's name as far as it can stand in a file's name and in an address, as InvokeAI cuts it."""
    if board_id == NO_BOARD:
        return "Uncategorized_"
    name = (await boards.require(session, board_id)).board_name
    kept = "".join(character for character in name if character.isalnum() or character in " _-")
    return f"{kept[:_LONGEST_BOARD_NAME].strip()}_"


async def ready(session: WriteSession, item_name: str) -> str:
    """The key of an archive. Asked of the writer: the event that it is ready has only just been sent.

    Raises:
        NotFound: it is not the person's, not ready, failed, or its time is over.
    """
    found = await repository.ready(session, item_name) if gallery.storable([item_name]) else None
    if found is None:
        raise NotFound("This download")
    return found
