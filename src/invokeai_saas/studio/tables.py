"""What InvokeAI's page keeps for a person between visits."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from invokeai_saas.db.base import Base, CreatedAt, Owner


class ClientState(Base):
    """One remembered piece of the page's state; the value is the page's own text, opaque to us."""

    __tablename__ = "client_state"

    user_id: Mapped[Owner] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[CreatedAt]
