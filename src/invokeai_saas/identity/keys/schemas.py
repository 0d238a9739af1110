"""The wire of API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from invokeai_saas.identity.schemas import keepable

KeyName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(keepable)
]


class NewKey(BaseModel):
    """Parameters: expires_in_days: null for a key that doesn't expire."""

    name: KeyName
    expires_in_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class KeyDTO(BaseModel):
    """A key without its secret. Parameters: prefix: its first 8 characters."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class MadeKey(BaseModel):
    """A new key, with the key itself, which is never shown again."""

    id: UUID
    name: str
    prefix: str
    key: str
    created_at: datetime
    expires_at: datetime | None
