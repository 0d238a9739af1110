"""The wire of InvokeAI's model relationships."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

Key = Annotated[str, Field(max_length=256)]


class ModelPair(BaseModel):
    model_key_1: Key
    model_key_2: Key


class ModelKeys(BaseModel):
    model_keys: Annotated[list[Key], Field(max_length=1000)]
