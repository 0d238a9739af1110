"""The wire of what InvokeAI's page asks about the application and keeps for a person."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

# PostgreSQL's text has no NUL.
StateKey = Annotated[str, Query(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]


class AppVersion(BaseModel):
    version: str


class GenerationDevice(BaseModel):
    device: str
    name: str


class DynamicPromptsRequest(BaseModel):
    prompt: str = Field(max_length=20_000)
    max_prompts: int = Field(default=1000, ge=1, le=10_000)
    combinatorial: bool = True
    seed: int | None = None


class DynamicPrompts(BaseModel):
    """Parameters: error: what is wrong with the prompt's syntax; the prompt then stands for itself."""

    prompts: list[str]
    error: str | None = None


class Fonts(BaseModel):
    fonts: list[dict[str, Any]] = []
