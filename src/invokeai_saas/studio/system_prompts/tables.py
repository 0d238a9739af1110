"""A person's system prompts."""

from __future__ import annotations

from sqlalchemy import Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, NewId, Owner


class SystemPrompt(Base):
    """What a language model is told before it is given a prompt to write out."""

    __tablename__ = "system_prompts"
    __table_args__ = (Index("ix_system_prompts_user_id", "user_id"),)

    id: Mapped[NewId]
    user_id: Mapped[Owner]
    name: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    is_public: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
