"""Writes trained networks as diffusers' Stable Diffusion 1 folder, in fp16 shards that fit a repository."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel

from training import architecture, shards


def half(network: torch.nn.Module, prefix: str = "") -> dict[str, torch.Tensor]:
    """The network's weights in fp16 on the CPU, each name with `prefix` where it lacks it."""
    weights = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    return {
        name if name.startswith(prefix) else prefix + name: value.detach().half().cpu().contiguous()
        for name, value in weights.items()
    }


def write_json(value: dict[str, Any], path: Path) -> None:
    """Write indented JSON, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def export(
    unet: UNet2DConditionModel, vae: AutoencoderKL, text: CLIPTextModel, tokenizer: Path, folder: Path
) -> None:
    """Write the pipeline's folder.

    Args:
        unet: The trained UNet.
        vae: The trained autoencoder.
        text: The trained text encoder.
        tokenizer: Folder of the tokenizer's files.
        folder: Where to; created if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(tokenizer, folder / "tokenizer", dirs_exist_ok=True)
    for network, part in ((unet, "unet"), (vae, "vae")):
        network.save_config(folder / part)
        _write_weights(half(network), "diffusion_pytorch_model", folder / part)
    # Loaders look for this prefix, which newer transformers leave out of the state dict.
    _write_weights(half(text, "text_model."), "model", folder / "text_encoder")
    # float32, though the file is fp16: newer diffusers would else mix the two types while computing.
    config = {**text.config.to_dict(), "dtype": "float32", "torch_dtype": "float32"}
    config["architectures"] = ["CLIPTextModel"]
    write_json(config, folder / "text_encoder" / "config.json")
    write_json(architecture.SCHEDULER, folder / "scheduler" / "scheduler_config.json")
    write_json(architecture.PIPELINE, folder / "model_index.json")


def _write_weights(weights: dict[str, torch.Tensor], stem: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch, f"{stem}.safetensors")
        save_file(weights, whole)
        shards.split(whole, folder)
