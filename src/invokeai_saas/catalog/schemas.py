"""The wire of InvokeAI's model manager."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

ModelOrder = Literal["default", "type", "base", "name", "format", "size", "created_at", "updated_at", "path"]
Direction = Literal["ASC", "DESC"]


class ModelsList(BaseModel):
    """Records as InvokeAI's probe wrote them; their form differs from model type to model type."""

    models: list[dict[str, Any]]


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
