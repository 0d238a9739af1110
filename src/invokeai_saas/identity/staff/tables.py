"""What staff prove themselves with, and their sessions. No role at run time reads either: functions do."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Owner, Uid


class StaffCredential(Base):
    """A password of their own, which no mail can set anew, and the secret of their authenticator (RFC 6238)."""

    __tablename__ = "staff_credentials"

    user_id: Mapped[Uid] = mapped_column(
        Uuid(as_uuid=True), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    password_hash: Mapped[str] = mapped_column(Text)
    totp_secret: Mapped[str] = mapped_column(String(64))  # base32
    last_step: Mapped[int] = mapped_column(
        BigInteger, server_default="0"
    )  # no code of it or before is good again
    created_at: Mapped[CreatedAt]


class StaffSession(Base):
    """A log-in of staff: half an hour without a request ends it, eight hours do in any case."""

    __tablename__ = "staff_sessions"
    __table_args__ = (Index("ix_staff_sessions_user_id", "user_id"),)

    id: Mapped[NewId]
    user_id: Mapped[Owner]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    address: Mapped[str] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[CreatedAt]
    seen_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment]
    revoked_at: Mapped[Moment | None]
