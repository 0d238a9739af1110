"""The wire of InvokeAI's style presets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel, StringConstraints

from invokeai_saas.settings import MEBIBYTE

MAX_PRESETS = 500  # of one person
MAX_STORED_BYTES = 4 * MEBIBYTE  # of all of a person's presets
MAX_PROMPT_CHARS = 20_000

PresetType = Literal["user", "default"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Prompt = Annotated[str, StringConstraints(max_length=MAX_PROMPT_CHARS)]


class PresetForm(BaseModel):
    """The `data` field of a form, as JSON."""

    name: Name
    positive_prompt: Prompt
    negative_prompt: Prompt
    type: PresetType
    is_public: bool = False


class PresetRow(BaseModel):
    """A line of a file that is imported."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Name
    positive_prompt: Prompt = Field(default="", validation_alias=AliasChoices("positive_prompt", "prompt"))
    negative_prompt: Prompt = ""


class PresetRows(RootModel[list[PresetRow]]):
    """A file that is imported."""

    root: list[PresetRow] = Field(max_length=MAX_PRESETS)


class PresetData(BaseModel):
    positive_prompt: str
    negative_prompt: str


class StylePresetRecord(BaseModel):
    """Parameters: user_id: "system" of those that InvokeAI ships; image: a path for an <img>."""

    id: str
    user_id: str
    name: str
    preset_data: PresetData
    type: PresetType
    is_public: bool
    image: str | None


Answer = dict[str, Any]
