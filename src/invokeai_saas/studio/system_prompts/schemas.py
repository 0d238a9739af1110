"""The wire of InvokeAI's system prompts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

MAX_PROMPTS = 200  # of one person
MAX_CHARS = 20_000

# PostgreSQL's text has no NUL.
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Content = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARS, pattern=r"^[^\x00]*$")]


class NewSystemPrompt(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    content: Content


class SystemPromptChanges(BaseModel):
    """None leaves a part as it is."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    content: Content | None = None
    is_public: bool | None = None


class SystemPromptRecord(BaseModel):
    """Parameters: user_id: "system" of those that InvokeAI ships."""

    id: str
    user_id: str
    name: str
    content: str
    is_public: bool
    created_at: datetime
    updated_at: datetime
