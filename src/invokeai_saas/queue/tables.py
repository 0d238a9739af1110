"""Jobs and their lives. PostgreSQL decides who runs; a queue message only wakes a worker."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Moment, NewId, Owner, Uid


class Batch(Base):
    """What one enqueue brought: the graph once, however many jobs it expands to."""

    __tablename__ = "job_batches"

    # Clients may name their batches, so an id is unique for one person only and tells nothing of another's.
    user_id: Mapped[Owner] = mapped_column(primary_key=True)
    batch_id: Mapped[Uid] = mapped_column(Uuid(as_uuid=True), primary_key=True)
    queue_id: Mapped[str] = mapped_column(String(64), server_default="default")
    graph: Mapped[dict[str, Any]] = mapped_column(JSONB)
    workflow: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    origin: Mapped[str | None] = mapped_column(Text)
    destination: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    # The traceparent of the request, which says it by `app.trace` where it traces.
    trace: Mapped[str | None] = mapped_column(
        String(55), server_default=text("NULLIF(current_setting('app.trace'::text, true), ''::text)")
    )


class Job(Base):
    """One run of a batch's graph (InvokeAI's session queue item)."""

    __tablename__ = "session_queue"
    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'in_progress', 'completed', 'failed', 'canceled')", name="status"
        ),
        CheckConstraint("(status = 'in_progress') = (current_attempt IS NOT NULL)", name="attempt"),
        ForeignKeyConstraint(
            ["user_id", "batch_id"], ["job_batches.user_id", "job_batches.batch_id"], ondelete="CASCADE"
        ),
        UniqueConstraint("user_id", "item_id"),
        Index(
            "ix_session_queue_claim",
            "tier",
            "user_id",
            text("priority DESC"),
            "position",
            postgresql_where=text("status = 'pending'"),
        ),
        Index("ix_session_queue_user_id_position", "user_id", "position"),
        Index("ix_session_queue_user_id_status", "user_id", "status"),
        Index("ix_session_queue_user_id_batch_id", "user_id", "batch_id"),
        Index("ix_session_queue_failed", "completed_at", postgresql_where=text("status = 'failed'")),
        Index("ix_session_queue_removed", "user_id", "completed_at", postgresql_where=text("removed")),
    )

    # Random below 2^53: it says nothing about other people, and JavaScript can hold it.
    item_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[Owner]
    batch_id: Mapped[Uid]
    session_id: Mapped[Uid]
    tier: Mapped[str] = mapped_column(String(30), ForeignKey("gpu_tiers.tier", ondelete="RESTRICT"))
    status: Mapped[str] = mapped_column(String(20), server_default="pending")
    status_sequence: Mapped[int] = mapped_column(server_default="0")
    priority: Mapped[int] = mapped_column(server_default="0")
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))  # age
    field_values: Mapped[list[Any] | None] = mapped_column(JSONB)
    model_keys: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    # What the estimate was made from; usage records repeat it.
    model_name: Mapped[str] = mapped_column(Text, server_default="")
    steps: Mapped[int] = mapped_column(server_default="0")
    width: Mapped[int] = mapped_column(server_default="0")
    height: Mapped[int] = mapped_column(server_default="0")
    estimate: Mapped[int]  # credits
    name_key: Mapped[bytes] = mapped_column(LargeBinary)  # names of its pictures derive from it
    attempts: Mapped[int] = mapped_column(server_default="0")
    current_attempt: Mapped[Uid | None]
    cancel_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    # From the list, while it ran: hidden until its worker has settled it, and then taken away.
    removed: Mapped[bool] = mapped_column(server_default=text("false"))
    retried_from_item_id: Mapped[int | None] = mapped_column(BigInteger)
    error_type: Mapped[str | None] = mapped_column(Text)
    error_message: Mapped[str | None] = mapped_column(Text)
    error_traceback: Mapped[str | None] = mapped_column(Text)
    session: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # final state of the graph's run
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    not_before: Mapped[Moment | None]  # a backing service was away: try again then
    started_at: Mapped[Moment | None]
    completed_at: Mapped[Moment | None]


class Attempt(Base):
    """One worker's try at a job, under a lease. Only the current attempt may settle."""

    __tablename__ = "job_attempts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "item_id"], ["session_queue.user_id", "session_queue.item_id"], ondelete="CASCADE"
        ),
        UniqueConstraint("item_id", "number"),
        Index("ix_job_attempts_lease", "lease_until", postgresql_where=text("outcome IS NULL")),
        Index("ix_job_attempts_user_id_item_id", "user_id", "item_id"),
    )

    id: Mapped[NewId]
    user_id: Mapped[Uid]
    item_id: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int]
    worker_id: Mapped[str] = mapped_column(String(100))
    lane_charge: Mapped[float] = mapped_column(Double)  # what its start added to the lane's virtual time
    lease_until: Mapped[Moment]
    started_at: Mapped[CreatedAt]
    ended_at: Mapped[Moment | None]
    # completed, failed, canceled, lost, overdue, returned (its worker drained), away (a backing service was)
    outcome: Mapped[str | None] = mapped_column(String(20))
    gpu_seconds: Mapped[Decimal | None] = mapped_column(Numeric(12, 3))


class Lane(Base):
    """Fairness state of a person in a tier: who has had least weighted service goes first."""

    __tablename__ = "queue_lanes"
    __table_args__ = (
        CheckConstraint(
            "pending >= 0 AND running >= 0 AND completed >= 0 AND failed >= 0 AND canceled >= 0",
            name="counts",
        ),
        Index(
            "ix_queue_lanes_active",
            "tier",
            "virtual_time",
            postgresql_where=text("pending > 0 OR running > 0"),
        ),
        Index("ix_queue_lanes_user_id", "user_id"),
    )

    tier: Mapped[str] = mapped_column(
        String(30), ForeignKey("gpu_tiers.tier", ondelete="RESTRICT"), primary_key=True
    )
    user_id: Mapped[Uid] = mapped_column(
        Uuid(as_uuid=True), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    pending: Mapped[int] = mapped_column(server_default="0")
    running: Mapped[int] = mapped_column(server_default="0")
    completed: Mapped[int] = mapped_column(server_default="0")  # ended jobs that are still in the list
    failed: Mapped[int] = mapped_column(server_default="0")
    canceled: Mapped[int] = mapped_column(server_default="0")
    max_running: Mapped[int | None]  # the plan's parallel lanes; NULL: unlimited
    weight: Mapped[float] = mapped_column(Double, server_default="1")
    virtual_time: Mapped[float] = mapped_column(Double, server_default="0")  # credits per weight
    passed_over: Mapped[int] = mapped_column(server_default="0")  # times in a row, for a loaded model's sake


class GpuWorker(Base):
    """A worker's last sign of life."""

    __tablename__ = "gpu_workers"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    tiers: Mapped[list[str]] = mapped_column(ARRAY(String(30)))
    engine: Mapped[str] = mapped_column(String(30))
    loaded_models: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    started_at: Mapped[CreatedAt]
    seen_at: Mapped[CreatedAt]


class GpuWorkerDay(Base):
    """How long a worker was there on a day, for each of its tiers in equal parts; kept by a trigger."""

    __tablename__ = "gpu_worker_days"
    __table_args__ = (
        CheckConstraint("seconds >= 0", name="seconds"),
        Index("ix_gpu_worker_days_day", "day"),
    )

    worker_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)  # of UTC
    tier: Mapped[str] = mapped_column(String(30), primary_key=True)
    seconds: Mapped[float] = mapped_column(Double)


class EnqueueKey(Base):
    """A client's idempotency key: the same request with it, within a day, gets the answer of the first."""

    __tablename__ = "enqueue_keys"
    __table_args__ = (Index("ix_enqueue_keys_created_at", "created_at"),)

    user_id: Mapped[UUID] = mapped_column(
        Uuid(as_uuid=True), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
