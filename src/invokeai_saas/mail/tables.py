"""Mails that are to be sent or have been."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Owner


class OutboxMail(Base):
    """A mail. `due_at` is when it is tried next; while it is being sent, when that is taken for lost."""

    __tablename__ = "mail_outbox"
    __table_args__ = (
        UniqueConstraint("user_id", "kind", "key"),
        CheckConstraint(
            "kind IN ('welcome', 'verify_email', 'reset_password', 'trial_ending', 'receipt',"
            " 'payment_failed', 'low_credits', 'tester_granted', 'deletion_warning', 'export_ready',"
            " 'deletion_requested', 'account_deleted', 'password_changed', 'key_made')",
            name="kind",
        ),
        CheckConstraint("state IN ('waiting', 'sent', 'failed')", name="state"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent"),
        CheckConstraint("jsonb_typeof(data) = 'object' AND octet_length(data::text) <= 16384", name="data"),
        Index("ix_mail_outbox_due", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_mail_outbox_failed", "created_at", postgresql_where=text("state = 'failed'")),
    )

    id: Mapped[NewId]
    user_id: Mapped[Owner]
    kind: Mapped[str] = mapped_column(String(30))
    key: Mapped[str] = mapped_column(String(255))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    state: Mapped[str] = mapped_column(String(10), server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[Moment] = mapped_column(server_default=func.now())
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    sent_at: Mapped[Moment | None]
