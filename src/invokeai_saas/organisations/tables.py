"""Organisations: the people of one customer."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, NewId, Owner, Uid


class Organisation(Base):
    """A customer with several people. Its owner's plan decides whether they share."""

    __tablename__ = "organisations"

    id: Mapped[NewId]
    user_id: Mapped[Owner] = mapped_column(unique=True)  # the owner
    name: Mapped[str] = mapped_column(String(100), unique=True)
    created_at: Mapped[CreatedAt]


class OrganisationMember(Base):
    """A person is of one organisation at most. Triggers keep their gallery's state and boards in step."""

    __tablename__ = "organisation_members"
    __table_args__ = (
        CheckConstraint("role IN ('member', 'owner')", name="role"),
        Index("ix_organisation_members_organisation_id", "organisation_id"),
    )

    user_id: Mapped[Owner] = mapped_column(primary_key=True)
    organisation_id: Mapped[Uid] = mapped_column(ForeignKey("organisations.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(10), server_default="member")
    created_at: Mapped[CreatedAt]
