"""Models on offer: shared ones have no owner, a person's own ones do."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Owner


class Model(Base):
    """A model as InvokeAI's probe described it. `record` is that description, with a logical path."""

    __tablename__ = "models"
    __table_args__ = (
        Index("uq_models_owner_path", "user_id", "path", unique=True, postgresql_nulls_not_distinct=True),
    )

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[Owner | None]
    name: Mapped[str] = mapped_column(Text)
    base: Mapped[str] = mapped_column(String(50))
    type: Mapped[str] = mapped_column(String(50))
    format: Mapped[str] = mapped_column(String(50))
    path: Mapped[str] = mapped_column(Text)  # models/shared/... or models/users/{user_id}/...
    hash: Mapped[str] = mapped_column(Text)
    file_size: Mapped[int] = mapped_column(BigInteger)
    record: Mapped[dict[str, Any]] = mapped_column(JSONB)
    cover_key: Mapped[str | None] = mapped_column(Text)
    # Those that the object store holds: path within the model, key, size in bytes, sha256. Empty for a model that
    # workers have in MODEL_DIR.
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    missing: Mapped[bool] = mapped_column(server_default=text("false"))  # its files are gone
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
