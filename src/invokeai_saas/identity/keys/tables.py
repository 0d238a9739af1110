"""Keys that programs log in with."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Owner


class ApiKey(Base):
    """A key as we keep it: its digest, and what its person knows it by."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        Index("ix_api_keys_live", "user_id", postgresql_where=text("revoked_at IS NULL")),
    )

    id: Mapped[NewId]
    user_id: Mapped[Owner]
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(8))  # how the key begins
    digest: Mapped[bytes] = mapped_column(
        LargeBinary, unique=True
    )  # HMAC-SHA256; the API's role can't read it
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[Moment | None]  # within a minute or so
    expires_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
