"""Makes a model of SDXL's form with random weights, for the documented examples: they all name an SDXL model.

Runs in the engine's environment: `python sdxl.py FOLDER`. What it draws is noise; that it is loaded, run and decoded
by InvokeAI like any other is what the examples need. Every dimension that InvokeAI checks is SDXL's own (2048 of
cross-attention, 768 and 1280 of the two text encoders), everything else is as small as it goes.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

_TOKENIZER = Path(__file__).resolve().parents[2] / "models" / "starter" / "weights" / "tokenizer"


def _text_encoder(width: int, tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        projection_dim=width,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=8,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=128,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(8, 16, 16, 16),
        down_block_types=("DownBlock2D", "DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        attention_head_dim=2,
        transformer_layers_per_block=1,
        cross_attention_dim=2048,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=1280 + 6 * 256,
        use_linear_projection=True,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
        mid_block_add_attention=False,
        scaling_factor=0.13025,
        sample_size=1024,
    )


def make(folder: Path) -> None:
    """Writes the model as diffusers does, in half precision: 50 MB."""
    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(_TOKENIZER)
    pipeline = StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_text_encoder(768, tokenizer)),
        text_encoder_2=CLIPTextModelWithProjection(_text_encoder(1280, tokenizer)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=_unet(),
        scheduler=EulerDiscreteScheduler(),
    )
    shutil.rmtree(folder, ignore_errors=True)
    pipeline.to(torch.float16).save_pretrained(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
