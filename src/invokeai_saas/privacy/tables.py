"""Exports of a person's data, people who are going to be deleted, and proofs of those who were."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Owner, Uid


class PrivacyExport(Base):
    """An archive of all that a person has. `alive_until`: until when the process that writes it is believed alive."""

    __tablename__ = "privacy_exports"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'running', 'ready', 'failed', 'expired')", name="state"),
        CheckConstraint(
            "state <> 'ready' OR (s3_key IS NOT NULL AND file_size_bytes IS NOT NULL"
            " AND finished_at IS NOT NULL AND expires_at IS NOT NULL)",
            name="ready",
        ),
        CheckConstraint("starts_with(s3_key, 'users/' || user_id || '/exports/')", name="key"),
        Index("ix_privacy_exports_user_id_created_at", "user_id", "created_at"),
        Index("ix_privacy_exports_files", "created_at", postgresql_where=text("s3_key IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(Uuid(as_uuid=True), primary_key=True)
    user_id: Mapped[Owner]
    state: Mapped[str] = mapped_column(String(10), server_default="pending")
    s3_key: Mapped[str | None] = mapped_column(String(512))  # none once its file is gone
    file_size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    alive_until: Mapped[Moment]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[Moment | None]
    expires_at: Mapped[Moment | None]


class AccountDeletion(Base):
    """Somebody who is going to be deleted. Until `started_at` they can take it back.

    `claim` names the scheduler that has it in hand until `lease_until`; `report` is what the proof will say.
    """

    __tablename__ = "account_deletions"
    __table_args__ = (
        CheckConstraint("reason IN ('asked', 'lapsed')", name="reason"),
        CheckConstraint(
            "stage IN ('check', 'stop', 'stripe', 'files', 'records', 'tell', 'forget')", name="stage"
        ),
        Index("ix_account_deletions_delete_at", "delete_at"),
    )

    user_id: Mapped[Uid] = mapped_column(
        Uuid(as_uuid=True), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    reason: Mapped[str] = mapped_column(String(10))
    requested_at: Mapped[CreatedAt]
    delete_at: Mapped[Moment]
    plan_ended_at: Mapped[Moment | None]
    started_at: Mapped[Moment | None]
    stopped_at: Mapped[Moment | None]
    stage: Mapped[str] = mapped_column(String(10), server_default="check")
    claim: Mapped[Uid | None]
    lease_until: Mapped[Moment | None]
    report: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    proof_id: Mapped[Uid | None]


class DeletionProof(Base):
    """What was deleted of somebody, without who it was. `hash` is of the report and of the hash before it."""

    __tablename__ = "deletion_proofs"

    id: Mapped[NewId]
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    report: Mapped[dict[str, Any]] = mapped_column(JSONB)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    finished_at: Mapped[Moment | None]


class ForgottenCustomer(Base):
    """SHA-256 of the name of a customer that was deleted at Stripe: of what is still told of it nothing is kept."""

    __tablename__ = "forgotten_customers"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
