"""Whether a single file holds every weight of its family, in the right shape. Only its header is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from safetensors import SafetensorError, safe_open
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from invokeai_saas.worker.engine.checkpoints.families import FAMILIES, Family, TextEncoder

Tensors = dict[str, torch.Tensor]
"""Tensors on the meta device: shapes without values."""
Shapes = dict[str, tuple[int, ...]]

# The largest, XL with what trainers leave behind, has some 5,000. What renames them takes the square of their number.
_MAX_TENSORS = 8_000

_PARTS = {
    "unet": "denoiser (unet)",
    "vae": "picture decoder (vae)",
    "text_encoder": "text encoder",
    "text_encoder_2": "second text encoder",
}


def problem_of(path: Path) -> str | None:
    """Why a single file cannot be loaded, for the person who brings it; None if it can.

    Parameters:
        path: a file that InvokeAI takes for a main model of Stable Diffusion 1, 2 or XL.
    """
    try:
        tensors = tensors_of(path)
    except SafetensorError:
        return "it is no safetensors file"
    family = FAMILIES.get(family_name(tensors))
    if family is None or len(tensors) > _MAX_TENSORS:
        return "it is of a kind of Stable Diffusion that is not run from a single file"
    for part, (wanted, found) in parts_of(family, tensors).items():
        if not found.keys() & wanted.keys():
            return f"it has no {_PARTS[part]}"
        wrong = next((name for name, shape in wanted.items() if found.get(name) != shape), None)
        if wrong is not None:
            return f"its {_PARTS[part]} is not built as usual, or not whole ({wrong})"
    return None


def tensors_of(path: Path) -> Tensors:
    """Shapes of a file's tensors. Raises SafetensorError."""
    with safe_open(path, framework="pt") as opened:
        names = list(opened.keys())
        return {name: torch.empty(opened.get_slice(name).get_shape(), device="meta") for name in names}


def family_name(tensors: Tensors) -> str:
    """What diffusers takes a file for."""
    try:
        return str(single_file_utils.infer_diffusers_model_type(tensors))
    except (KeyError, IndexError, ValueError):
        return "unknown"


def parts_of(family: Family, tensors: Tensors) -> dict[str, tuple[Shapes, Shapes]]:
    """For each part the shapes that its weights must have, and those that are found, by diffusers' names."""
    parts = {
        "unet": (
            _unet(family),
            _converted(single_file_utils.convert_ldm_unet_checkpoint, tensors, family.unet),
        ),
        "vae": (_vae(family), _converted(single_file_utils.convert_ldm_vae_checkpoint, tensors, family.vae)),
    }
    for name, encoder in family.text_encoders.items():
        model = empty_text_encoder(encoder)
        parts[name] = (_shapes(model.state_dict()), _converted_text(encoder, model, tensors))
    return parts


def empty_text_encoder(encoder: TextEncoder) -> Any:
    """The encoder without weights."""
    classes = {kind.__name__: kind for kind in (CLIPTextModel, CLIPTextModelWithProjection)}
    with init_empty_weights():
        return classes[encoder.class_name](CLIPTextConfig(**encoder.config))


def _unet(family: Family) -> Shapes:
    with init_empty_weights():
        return _shapes(UNet2DConditionModel.from_config(family.unet).state_dict())


def _vae(family: Family) -> Shapes:
    with init_empty_weights():
        return _shapes(AutoencoderKL.from_config(family.vae).state_dict())


def _converted_text(encoder: TextEncoder, model: Any, tensors: Tensors) -> Shapes:
    if encoder.stored_in is None:
        return _converted(single_file_utils.convert_ldm_clip_checkpoint, tensors)
    return _converted(single_file_utils.convert_open_clip_checkpoint, model, tensors, encoder.stored_in)


def _converted(convert: Callable[..., Tensors], *args: Any) -> Shapes:
    """Nothing for a part that is so unusual that its names cannot be converted."""
    try:
        return _shapes(convert(*args))
    except (KeyError, IndexError, AttributeError, TypeError, ValueError, RuntimeError):
        return {}


def _shapes(tensors: Mapping[str, torch.Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}
