"""Which models belong together: shared links have no owner, a person's own ones do."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, NewId, Owner


class ModelRelationship(Base):
    """Two models that the page offers together. The lesser key comes first, so a pair has one row."""

    __tablename__ = "model_relationships"
    __table_args__ = (
        CheckConstraint("model_key_1 <> model_key_2", name="different"),
        Index(
            "uq_model_relationships_pair", "user_id", "model_key_1", "model_key_2", unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_model_relationships_model_key_1", "model_key_1"),
        Index("ix_model_relationships_model_key_2", "model_key_2"),
    )  # fmt: skip

    id: Mapped[NewId]
    user_id: Mapped[Owner | None]
    model_key_1: Mapped[str] = mapped_column(String(64), ForeignKey("models.key", ondelete="CASCADE"))
    model_key_2: Mapped[str] = mapped_column(String(64), ForeignKey("models.key", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
