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


class InvocationCacheStatus(BaseModel):
    """The node cache of a worker. It has no tenant in its key, so a shared worker has none."""

    size: int = 0
    hits: int = 0
    misses: int = 0
    enabled: bool = False
    max_size: int = 0


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


class ExpandPromptRequest(BaseModel):
    prompt: Annotated[str, Field(max_length=20_000)]
    model_key: Annotated[str, Field(max_length=256)]
    max_tokens: int = Field(default=300, ge=1, le=2048)
    system_prompt: Annotated[str, Field(max_length=20_000)] | None = None
    seed: int | None = Field(default=None, ge=0, lt=2**32)
    task_id: Annotated[str, Field(max_length=256)] | None = None


class ImageToPromptRequest(BaseModel):
    image_name: Annotated[str, Field(max_length=255)]
    model_key: Annotated[str, Field(max_length=256)]
    instruction: Annotated[str, Field(max_length=20_000)] = "Describe this picture in detail, as a prompt."
    task_id: Annotated[str, Field(max_length=256)] | None = None


class ExpandedPrompt(BaseModel):
    expanded_prompt: str
    seed: int
    error: str | None = None


class PromptOfImage(BaseModel):
    prompt: str
    error: str | None = None
