"""Files that were deleted, until no cache has them either."""

from __future__ import annotations

from sqlalchemy import BigInteger, Identity, Index, Integer, String, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, Uid


class RemovedFiles(Base):
    """Of one person, of one transaction. `folder` is theirs; without `keys` all that lies below it is meant.

    Rows of a `batch` are purged together, and a batch never gets other rows.
    """

    __tablename__ = "removed_files"
    __table_args__ = (Index("ix_removed_files_due_at", "due_at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    folder: Mapped[str] = mapped_column(String(100))
    keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    batch: Mapped[Uid | None]
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    removed_at: Mapped[CreatedAt]
    due_at: Mapped[Moment]
