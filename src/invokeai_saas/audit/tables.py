"""The log of what staff and operators did."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Uid


class AuditEntry(Base):
    """One act. Rows are never changed or removed, and name people without a foreign key: they outlive them."""

    __tablename__ = "audit_log"
    __table_args__ = (
        CheckConstraint("char_length(reason) <= 1000", name="reason"),
        CheckConstraint(
            "jsonb_typeof(details) = 'object' AND octet_length(details::text) <= 16384", name="details"
        ),
        Index("ix_audit_log_person_id_id", "person_id", "id"),
        Index("ix_audit_log_action_id", "action", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[CreatedAt]
    actor_id: Mapped[Uid | None]  # of staff; NULL for operators and the scheduler
    actor: Mapped[str] = mapped_column(String(255))  # an address, `operator` or `scheduler`
    action: Mapped[str] = mapped_column(String(50))
    person_id: Mapped[Uid | None]  # whom it was about
    kind: Mapped[str] = mapped_column(String(30))  # of the thing: person, plan, pack, job, event, ...
    thing: Mapped[str] = mapped_column(String(255))  # which one
    reason: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    request_id: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(64))
