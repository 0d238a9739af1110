"""Links that mails carry, and requests for a new password that nobody has looked at yet."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Owner


class MailLink(Base):
    """A link that is still good. Using it deletes it, with its person's others of the purpose."""

    __tablename__ = "mail_links"
    __table_args__ = (
        CheckConstraint("purpose IN ('verify_email', 'reset_password')", name="purpose"),
        Index("ix_mail_links_user_id", "user_id", "purpose"),
        Index("ix_mail_links_expires_at", "expires_at"),
    )

    id: Mapped[NewId]
    user_id: Mapped[Owner]
    purpose: Mapped[str] = mapped_column(String(20))
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    email: Mapped[str] = mapped_column(String(255))  # where it was sent
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment]


class PasswordResetRequest(Base):
    """An address that somebody typed: nobody's row, since there may be no such person."""

    __tablename__ = "password_reset_requests"

    id: Mapped[NewId]
    email: Mapped[str] = mapped_column(String(255))
    requested_at: Mapped[CreatedAt]
