"""The wire of InvokeAI's recall: settings that a program sends to its person's open pages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_MOST = 2**63 - 1

# PostgreSQL's text has no NUL.
Name = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00]*$")]
Prompt = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=-1, le=2)]
Count = Annotated[int, Field(ge=0, le=_MOST)]
Side = Annotated[int, Field(ge=64, le=_MOST)]  # pixels


class _Part(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class Lora(_Part):
    model_name: Name
    weight: Annotated[float, Field(ge=-10, le=10)] = 0.75
    is_enabled: bool = True


class ControlLayer(_Part):
    """Parameters: image_name: the control image, as it is or already processed."""

    model_name: Name
    image_name: Name | None = None
    weight: Weight = 1.0
    begin_step_percent: Share | None = None
    end_step_percent: Share | None = None
    control_mode: Literal["balanced", "more_prompt", "more_control"] | None = None


class IPAdapter(_Part):
    model_name: Name
    image_name: Name | None = None
    weight: Weight = 1.0
    begin_step_percent: Share | None = None
    end_step_percent: Share | None = None
    method: Literal["full", "style", "composition"] | None = None
    image_influence: Literal["lowest", "low", "medium", "high", "highest"] | None = None


class ReferenceImage(_Part):
    """A picture for models that take one without an adapter."""

    image_name: Name


Loras = Annotated[list[Lora], Field(max_length=100)]
ControlLayers = Annotated[list[ControlLayer], Field(max_length=100)]
IPAdapters = Annotated[list[IPAdapter], Field(max_length=100)]
ReferenceImages = Annotated[list[ReferenceImage], Field(max_length=100)]


class RecallParameters(BaseModel):
    """What can be recalled. None leaves a setting as it is, unless the request is strict."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    positive_prompt: Prompt | None = None
    negative_prompt: Prompt | None = None
    model: Name | None = None
    refiner_model: Name | None = None
    vae_model: Name | None = None
    scheduler: Name | None = None
    steps: Annotated[int, Field(ge=1, le=_MOST)] | None = None
    refiner_steps: Count | None = None
    cfg_scale: float | None = None
    cfg_rescale_multiplier: float | None = None
    refiner_cfg_scale: float | None = None
    guidance: float | None = None
    width: Side | None = None
    height: Side | None = None
    seed: Count | None = None
    denoise_strength: Share | None = None
    refiner_denoise_start: Share | None = None
    clip_skip: Count | None = None
    seamless_x: bool | None = None
    seamless_y: bool | None = None
    refiner_positive_aesthetic_score: float | None = None
    refiner_negative_aesthetic_score: float | None = None
    loras: Loras | None = None
    control_layers: ControlLayers | None = None
    ip_adapters: IPAdapters | None = None
    reference_images: ReferenceImages | None = None


LISTS = ("loras", "control_layers", "ip_adapters", "reference_images")


class Recalled(BaseModel):
    """Parameters: parameters: as the pages got them, models by key and pictures with their sizes."""

    status: Literal["success"] = "success"
    queue_id: str
    updated_count: int
    parameters: dict[str, Any]


class NothingRecalled(BaseModel):
    status: Literal["no_parameters_provided"] = "no_parameters_provided"
    updated_count: int = 0


class StoredParameters(BaseModel):
    """What was last recalled, as it was sent."""

    status: Literal["success"] = "success"
    queue_id: str
    parameters: dict[str, Any]
