"""Lets diffusers find on this disk how a single file's parts are configured, where it would ask the model hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from diffusers.loaders import single_file_utils

from invokeai_saas.worker.engine.checkpoints.families import FAMILIES, Family
from invokeai_saas.worker.engine.checkpoints.vocabulary import write_tokenizer


def install(folder: Path) -> None:
    """Writes all families' configurations and points diffusers at them, for the whole process.

    Parameters:
        folder: private to this process.
    """
    for name, family in FAMILIES.items():
        place = folder / name
        write_family(place, family)
        single_file_utils.DIFFUSERS_DEFAULT_PIPELINE_PATHS[name] = {
            "pretrained_model_name_or_path": str(place)
        }


def write_family(folder: Path, family: Family) -> None:
    """A pipeline's folder without its weights."""
    index: dict[str, Any] = {
        "_class_name": family.pipeline_class,
        **family.pipeline,
        "unet": ["diffusers", family.unet["_class_name"]],
        "vae": ["diffusers", family.vae["_class_name"]],
        "scheduler": ["diffusers", family.scheduler["_class_name"]],
    }
    write_config(folder / "unet" / "config.json", family.unet)
    write_config(folder / "vae" / "config.json", family.vae)
    write_config(folder / "scheduler" / "scheduler_config.json", family.scheduler)
    for name, encoder in family.text_encoders.items():
        tokenizer = tokenizer_of(name)
        index |= {name: ["transformers", encoder.class_name], tokenizer: ["transformers", "CLIPTokenizer"]}
        write_config(folder / name / "config.json", encoder.config)
        write_tokenizer(folder / tokenizer, encoder.pad)
    for name in ("text_encoder", "tokenizer", "safety_checker", "feature_extractor", "image_encoder"):
        index.setdefault(name, [None, None])
    write_config(folder / "model_index.json", index)


def tokenizer_of(text_encoder: str) -> str:
    """`text_encoder_2` has `tokenizer_2`."""
    return text_encoder.replace("text_encoder", "tokenizer")


def write_config(path: Path, config: dict[str, Any]) -> None:
    """A configuration as diffusers reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=1), encoding="utf-8")
