"""How the parts of Stable Diffusion 1, 2 and XL are built. A single file holds their weights and says none of this.

The architectures are published: Rombach et al. 2022 (https://arxiv.org/abs/2112.10752) and its successor for XL,
Podell et al. 2023 (https://arxiv.org/abs/2307.01952); CLIP's encoders by Radford et al. 2021
(https://arxiv.org/abs/2103.00020). Values that diffusers or transformers take by default are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Config = dict[str, Any]

START, END = "<|startoftext|>", "<|endoftext|>"
START_ID, END_ID = 49406, 49407
VOCABULARY_SIZE = 49408
MAX_TOKENS = 77
INPAINT_CHANNELS = 9  # the noisy latents, those of the masked picture, and the mask


@dataclass(frozen=True)
class TextEncoder:
    """A CLIP text encoder.

    Parameters:
        config: transformers' configuration.
        stored_in: prefix of its weights in a file that holds them as OpenCLIP names them; None for OpenAI's names.
        pad: what its tokenizer fills short prompts up with.
    """

    config: Config
    stored_in: str | None = None
    pad: str = END

    @property
    def class_name(self) -> str:
        return str(self.config["architectures"][0])


@dataclass(frozen=True)
class Family:
    """Everything of one kind of file but its weights.

    Parameters:
        text_encoders: by name of the part.
        unet, vae, scheduler: diffusers' configurations.
        pipeline: further entries of `model_index.json`.
    """

    pipeline_class: str
    text_encoders: Mapping[str, TextEncoder]
    unet: Config
    vae: Config
    scheduler: Config
    pipeline: Config = field(default_factory=dict)


def _text(architecture: str, width: int, layers: int, heads: int, act: str, projected: int) -> Config:
    return {
        "architectures": [architecture],
        "model_type": "clip_text_model",
        "vocab_size": VOCABULARY_SIZE,
        "max_position_embeddings": MAX_TOKENS,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_act": act,
        "projection_dim": projected,
        "bos_token_id": START_ID,
        "eos_token_id": END_ID,
        "pad_token_id": 1,
    }


def _unet(levels: str, width: int, factors: tuple[int, ...], heads: list[int] | int, **more: Any) -> Config:
    """`levels`: from the largest picture down, "x" with attention to the prompt, "." without."""
    down = [{"x": "CrossAttnDownBlock2D", ".": "DownBlock2D"}[level] for level in levels]
    up = [{"x": "CrossAttnUpBlock2D", ".": "UpBlock2D"}[level] for level in reversed(levels)]
    return {
        "_class_name": "UNet2DConditionModel",
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [width * factor for factor in factors],
        "down_block_types": down,
        "up_block_types": up,
        "layers_per_block": 2,
        "attention_head_dim": heads,  # numbers of heads, in spite of the name
        **more,
    }


def _vae(sample_size: int, scaling_factor: float) -> Config:
    return {
        "_class_name": "AutoencoderKL",
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": 2,
        "norm_num_groups": 32,
        "act_fn": "silu",
        "sample_size": sample_size,
        "scaling_factor": scaling_factor,
    }


def _scheduler(class_name: str, prediction_type: str = "epsilon", **more: Any) -> Config:
    return {
        "_class_name": class_name,
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": prediction_type,
        "steps_offset": 1,
        **more,
    }


_CLIP_L = _text("CLIPTextModel", 768, 12, 12, "quick_gelu", 768)
# OpenCLIP's ViT-H has 24 layers; Stable Diffusion 2 was trained on what the last but one says.
_CLIP_H = _text("CLIPTextModel", 1024, 23, 16, "gelu", 512)
_CLIP_G = _text("CLIPTextModelWithProjection", 1280, 32, 20, "gelu", 1280)

_SD1_UNET = _unet("xxx.", 320, (1, 2, 4, 4), 8, cross_attention_dim=768, sample_size=64)
_SD2_UNET = _unet(
    "xxx.", 320, (1, 2, 4, 4), [5, 10, 20, 20], cross_attention_dim=1024, use_linear_projection=True, sample_size=96
)  # fmt: skip
_XL_UNET: Config = {
    "use_linear_projection": True,
    "sample_size": 128,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
}
_XL_BASE_UNET = _unet(
    ".xx", 320, (1, 2, 4), [5, 10, 20], cross_attention_dim=2048, transformer_layers_per_block=[1, 2, 10],
    projection_class_embeddings_input_dim=1280 + 6 * 256, **_XL_UNET,
)  # fmt: skip
_XL_REFINER_UNET = _unet(
    ".xx.", 384, (1, 2, 4, 4), [6, 12, 24, 24], cross_attention_dim=1280, transformer_layers_per_block=4,
    projection_class_embeddings_input_dim=1280 + 5 * 256, **_XL_UNET,
)  # fmt: skip
_PNDM = _scheduler("PNDMScheduler", skip_prk_steps=True, set_alpha_to_one=False)
_DDIM_V = _scheduler("DDIMScheduler", "v_prediction", clip_sample=False, set_alpha_to_one=False)
_EULER = _scheduler("EulerDiscreteScheduler", interpolation_type="linear", timestep_spacing="leading")
_NO_CHECKER: Config = {"requires_safety_checker": False}


def _sd1(pipeline_class: str, **unet: Any) -> Family:
    text = {"text_encoder": TextEncoder(_CLIP_L)}
    return Family(pipeline_class, text, _SD1_UNET | unet, _vae(512, 0.18215), _PNDM, _NO_CHECKER)


def _sd2(pipeline_class: str, scheduler: Config, **unet: Any) -> Family:
    text = {"text_encoder": TextEncoder(_CLIP_H, "cond_stage_model.model.", pad="!")}
    return Family(pipeline_class, text, _SD2_UNET | unet, _vae(768, 0.18215), scheduler, _NO_CHECKER)


def _xl(pipeline_class: str, **unet: Any) -> Family:
    text = {
        "text_encoder": TextEncoder(_CLIP_L),
        "text_encoder_2": TextEncoder(_CLIP_G, "conditioner.embedders.1.model.", pad="!"),
    }
    zeros = {"force_zeros_for_empty_prompt": True}
    return Family(pipeline_class, text, _XL_BASE_UNET | unet, _vae(1024, 0.13025), _EULER, zeros)


_REFINER = Family(
    "StableDiffusionXLPipeline",
    {"text_encoder_2": TextEncoder(_CLIP_G, "conditioner.embedders.0.model.", pad="!")},
    _XL_REFINER_UNET,
    _vae(1024, 0.13025),
    _EULER,
    {"force_zeros_for_empty_prompt": False, "requires_aesthetics_score": True},
)

FAMILIES: Mapping[str, Family] = {
    "v1": _sd1("StableDiffusionPipeline"),
    "inpainting": _sd1("StableDiffusionInpaintPipeline", in_channels=INPAINT_CHANNELS),
    "v2": _sd2("StableDiffusionPipeline", _DDIM_V, upcast_attention=True),
    "inpainting_v2": _sd2(
        "StableDiffusionInpaintPipeline", _PNDM, in_channels=INPAINT_CHANNELS, sample_size=64
    ),
    "xl_base": _xl("StableDiffusionXLPipeline"),
    "xl_inpaint": _xl("StableDiffusionXLInpaintPipeline", in_channels=INPAINT_CHANNELS),
    "xl_refiner": _REFINER,
}
"""By the name that diffusers gives to what it takes a file for."""
