"""The wire of InvokeAI's model manager."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ModelOrder = Literal["default", "type", "base", "name", "format", "size", "created_at", "updated_at", "path"]
Direction = Literal["ASC", "DESC"]


class ModelsList(BaseModel):
    """Records as InvokeAI's probe wrote them; their form differs from model type to model type."""

    models: list[dict[str, Any]]


class OwnModel(BaseModel):
    """A model of the person's own. Parameters: file_size: bytes of all its files."""

    model_config = ConfigDict(from_attributes=True)

    key: str
    name: str
    type: str
    base: str
    format: str
    file_size: int
    created_at: datetime


class OwnModels(BaseModel):
    """What a page of a person's own models shows.

    Parameters:
        may_install: whether the person's plan, or that they are of our staff, lets them.
        for_everybody: what they install is a shared model, as our staff's are.
        models: by name; they are listed under every plan, and after it.
    """

    may_install: bool
    for_everybody: bool
    models: list[OwnModel]


class ModelKeys(BaseModel):
    keys: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=200)]


class FailedKey(BaseModel):
    """A model that nothing was done to, and why."""

    key: str
    error: str


class BulkDeleted(BaseModel):
    deleted: list[str]
    failed: list[FailedKey]


class BulkReidentified(BaseModel):
    succeeded: list[str]
    failed: list[FailedKey]


class StarterModels(BaseModel):
    """What InvokeAI recommends to install. What we recommend is on offer already."""

    starter_models: list[dict[str, Any]] = []
    starter_bundles: dict[str, Any] = {}
