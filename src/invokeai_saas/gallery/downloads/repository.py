"""The SQL of downloads: their rows, and the pictures that go into them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, select, text, update

from invokeai_saas.db import sharing
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.gallery.repository import Session, among
from invokeai_saas.gallery.tables import BulkDownload, Image
from invokeai_saas.gallery.wanted import Uncategorised, Wanted


class Packed(NamedTuple):
    """A picture that goes into an archive."""

    image_name: str
    image_category: str
    s3_key: str
    created_at: datetime


def of_board(board: UUID | Uncategorised) -> list[ColumnElement[bool]]:
    """All that a board shows, videos too."""
    return Wanted(kind=None, board_id=board, is_intermediate=False).conditions()


def of_names(names: Sequence[str]) -> list[ColumnElement[bool]]:
    return [among(Image.image_name, names)]


async def measure(
    session: Session, pictures: Sequence[ColumnElement[bool]], *, shared: bool = False
) -> tuple[int, int]:
    """(how many there are, their files' bytes). Parameters: shared: of what colleagues share."""
    total = func.coalesce(func.sum(Image.file_size_bytes), 0)
    statement = select(func.count(), total).select_from(Image).where(*pictures)
    row = (await session.execute(statement, execution_options=sharing.options(shared=shared))).one()
    return int(row[0]), int(row[1])


async def some(
    session: ReadSession,
    pictures: Sequence[ColumnElement[bool]],
    after: str,
    limit: int,
    *,
    shared: bool = False,
) -> list[Packed]:
    """Pictures in the order of their names.

    Parameters:
        after: the name before the first.
        shared: of what colleagues share, now.
    """
    columns = (Image.image_name, Image.image_category, Image.s3_key, Image.created_at)
    statement = select(*columns).where(*pictures, Image.image_name > after)
    statement = statement.order_by(Image.image_name).limit(limit)
    rows = await session.execute(statement, execution_options=sharing.options(shared=shared))
    return [Packed(*row) for row in rows]


async def count_preparing(session: WriteSession) -> int:
    """How many the person has in preparation; nobody else can count until this transaction ends."""
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended('downloads:' || :user_id, 0))")
    await session.execute(lock, {"user_id": str(session.user_id)})
    statement = select(func.count()).where(BulkDownload.state == "preparing")
    return (await session.execute(statement)).scalar_one()


async def add(
    session: WriteSession, download_id: UUID, item_name: str, key: str, *, lease: timedelta, kept: timedelta
) -> None:
    await session.execute(
        insert(BulkDownload).values(
            id=download_id,
            user_id=session.user_id,
            item_name=item_name,
            s3_key=key,
            alive_until=func.now() + lease,
            expires_at=func.now() + kept,
        )
    )


async def keep_newest(session: WriteSession, count: int) -> None:
    """Ends the time of all finished ones but the newest."""
    finished = BulkDownload.state == "ready"
    newest = select(BulkDownload.id).where(finished).order_by(BulkDownload.created_at.desc()).limit(count)
    older = update(BulkDownload).where(
        finished, BulkDownload.id.not_in(newest), BulkDownload.expires_at > func.now()
    )
    await session.execute(older.values(expires_at=func.now()))


async def change(session: WriteSession, download_id: UUID, **values: Any) -> bool:
    """Changes one that is being prepared; false when it is not any more."""
    statement = update(BulkDownload).where(BulkDownload.id == download_id, BulkDownload.state == "preparing")
    return bool((await session.execute(statement.values(**values).returning(BulkDownload.id))).all())


async def ready(session: Session, item_name: str) -> str | None:
    """The key of an archive that can be fetched."""
    statement = select(BulkDownload.s3_key).where(
        BulkDownload.item_name == item_name,
        BulkDownload.state == "ready",
        BulkDownload.expires_at > func.now(),
    )
    return (await session.execute(statement)).scalar_one_or_none()
