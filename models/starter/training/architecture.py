"""The networks: Stable Diffusion 1's parts, as narrow as the pictures allow: 29.5 million parameters."""

from __future__ import annotations

from typing import Any, Final

LATENT_SCALE: Final = 0.18215  # Stable Diffusion 1's; the VAE is whitened so that it fits
LATENT_SIZE: Final = 32  # 256 pixels / 8
CONTEXT_TOKENS: Final = 77
TEXT_WIDTH: Final = 768  # what makes it the kind of model that sd-1 loaders, and their LoRA code, expect

VAE: Final[dict[str, Any]] = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [32, 64, 96, 128],
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 8,
    "sample_size": 256,
    "scaling_factor": LATENT_SCALE,
}

UNET: Final[dict[str, Any]] = {
    "sample_size": LATENT_SIZE,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [96, 160, 192],
    "layers_per_block": 1,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "cross_attention_dim": TEXT_WIDTH,
    "attention_head_dim": [3, 5, 6],  # diffusers' misnomer: the number of heads, 32 channels each
    "norm_num_groups": 32,
}

#: Stable Diffusion 1's noise schedule, with velocity as the target (Salimans & Ho 2022, arXiv 2202.00512).
NOISE: Final[dict[str, Any]] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
}
SCHEDULER: Final[dict[str, Any]] = {
    "_class_name": "DPMSolverMultistepScheduler",
    "_diffusers_version": "0.40.0",
    **NOISE,
    "timestep_spacing": "trailing",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "skip_prk_steps": True,
}

PIPELINE: Final[dict[str, Any]] = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.40.0",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def text_config(vocabulary: int) -> dict[str, Any]:
    """Configuration of the text encoder for a vocabulary that ends with the start and the end of text."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 12,
        "max_position_embeddings": CONTEXT_TOKENS,
        "hidden_act": "quick_gelu",
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
        "pad_token_id": vocabulary - 1,
        "projection_dim": TEXT_WIDTH,
    }
