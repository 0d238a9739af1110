"""The wire of organisations."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

Role = Literal["member", "owner"]


class Member(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    user_id: UUID
    name: str
    role: Role


class OrganisationDTO(BaseModel):
    """The caller's organisation.

    Parameters:
        sharing: whether shared things are seen now: while the owner's plan has collaboration.
        members: the owner first, then by name.
    """

    id: UUID
    name: str
    created_at: datetime
    sharing: bool
    members: list[Member]
