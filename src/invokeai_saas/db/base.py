"""The declarative base that every domain's tables share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, MetaData, Uuid, func, text
from sqlalchemy.orm import DeclarativeBase, mapped_column

# Explicit names, so that a migration can name what it alters on any server.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=_NAMES)


Uid = Annotated[UUID, mapped_column(Uuid(as_uuid=True))]
NewId = Annotated[
    UUID, mapped_column(Uuid(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()"))
]
# A tenant's row goes with its person; ledger tables say RESTRICT instead.
Owner = Annotated[UUID, mapped_column(Uuid(as_uuid=True), ForeignKey("users.id", ondelete="CASCADE"))]
LedgerOwner = Annotated[UUID, mapped_column(Uuid(as_uuid=True), ForeignKey("users.id", ondelete="RESTRICT"))]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
