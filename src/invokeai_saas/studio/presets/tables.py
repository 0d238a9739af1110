"""A person's style presets."""

from __future__ import annotations

from sqlalchemy import Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, NewId, Owner


class StylePreset(Base):
    """Words that the page puts around a prompt."""

    __tablename__ = "style_presets"
    __table_args__ = (Index("ix_style_presets_user_id", "user_id"),)

    id: Mapped[NewId]
    user_id: Mapped[Owner]
    name: Mapped[str] = mapped_column(Text)
    positive_prompt: Mapped[str] = mapped_column(Text)
    negative_prompt: Mapped[str] = mapped_column(Text)
    is_public: Mapped[bool] = mapped_column(server_default=text("false"))
    image_key: Mapped[str | None] = mapped_column(String(512))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
