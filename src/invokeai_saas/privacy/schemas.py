"""The wire of exports and deletions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

Status = Literal["pending", "running", "ready", "failed", "expired"]


class ExportDTO(BaseModel):
    """An archive of all that a person has.

    Parameters:
        bytes: of the archive, once it is ready.
        url: where it can be fetched, while it is ready: a signed path, good for an hour or two; ask again for another.
    """

    id: UUID
    status: Status
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    bytes: int | None
    url: str | None


class DeletionRequest(BaseModel):
    """Parameters: password: the caller's, once more."""

    password: str = Field(max_length=1024)


class DeletionDTO(BaseModel):
    """When the caller asked to be deleted, and when that begins; null for who did not ask."""

    requested_at: datetime | None = None
    delete_at: datetime | None = None
