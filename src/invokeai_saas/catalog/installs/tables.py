"""Installs of models, and new looks at what was installed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Owner, Uid

OPEN = ("waiting", "downloading", "downloads_done", "running")
LIVE = (*OPEN, "paused")
ENDED = ("completed", "error", "cancelled")


class ModelInstall(Base):
    """A job that brings a model, downloaded by a scheduler and identified by a worker; or work on one that is there."""

    __tablename__ = "model_installs"
    __table_args__ = (
        CheckConstraint("kind IN ('install', 'identify', 'convert')", name="kind"),
        CheckConstraint(
            "status IN ('waiting', 'downloading', 'downloads_done', 'running', 'paused', 'completed', 'error',"
            " 'cancelled')",
            name="status",
        ),
        Index("ix_model_installs_user_id", "user_id", "created_at"),
        Index("ix_model_installs_open", "created_at", postgresql_where=text(f"status IN {OPEN}")),
        Index(
            "uq_model_installs_live", "user_id", "shared", "source_text", unique=True,
            postgresql_where=text(f"kind = 'install' AND status IN {LIVE}"),
        ),
        Index(
            "uq_model_installs_converting", "user_id", "model_key", unique=True,
            postgresql_where=text(f"kind = 'convert' AND status IN {LIVE}"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[Owner]
    shared: Mapped[bool] = mapped_column(server_default=text("false"))  # for everybody, by our staff
    kind: Mapped[str] = mapped_column(String(10), server_default="install")
    status: Mapped[str] = mapped_column(String(20), server_default="waiting")
    source: Mapped[dict[str, Any]] = mapped_column(JSONB)  # InvokeAI's ModelSource, without the token
    source_text: Mapped[str] = mapped_column(Text)
    # Only the scheduler reads it, and it goes when the downloads have ended.
    access_token: Mapped[str | None] = mapped_column(Text, deferred=True)
    config_in: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    model_key: Mapped[str] = mapped_column(String(64))
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    total_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    config_out: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    error_type: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    claim: Mapped[Uid | None]  # of the process that has it in hand
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
