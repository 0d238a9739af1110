"""The wire of InvokeAI's model manager, as far as people without rights over models see it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

ModelOrder = Literal["default", "type", "base", "name", "format", "size", "created_at", "updated_at", "path"]
Direction = Literal["ASC", "DESC"]


class ModelsList(BaseModel):
    """Records as InvokeAI's probe wrote them; their form differs from model type to model type."""

    models: list[dict[str, Any]]
