"""A person's workflows, and which of the shipped ones they have opened."""

from __future__ import annotations

from sqlalchemy import Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Owner


class WorkflowRecord(Base):
    """One workflow as JSON text, with copies of what lists show and search."""

    __tablename__ = "workflow_library"
    __table_args__ = (Index("ix_workflow_library_user_id", "user_id"),)

    workflow_id: Mapped[NewId]
    user_id: Mapped[Owner]
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    tags: Mapped[str] = mapped_column(Text)  # separated by commas
    workflow: Mapped[str] = mapped_column(Text)  # without its id, which is the row's
    workflow_bytes: Mapped[int]  # of `workflow`, in UTF-8
    has_return: Mapped[bool]  # whether it could be called by another workflow
    is_public: Mapped[bool] = mapped_column(server_default=text("false"))
    thumbnail_key: Mapped[str | None] = mapped_column(String(512))
    opened_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class WorkflowOpened(Base):
    """When a person last opened a workflow that InvokeAI ships."""

    __tablename__ = "workflow_opened"

    user_id: Mapped[Owner] = mapped_column(primary_key=True)
    workflow_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    opened_at: Mapped[CreatedAt]
