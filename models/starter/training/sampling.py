"""Pictures from an exported folder, on one sheet: the quickest look at what a training run came to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image, ImageDraw

_CELL, _CAPTION, _COLUMNS = 192, 16, 6
STEPS: Final = 20
GUIDANCE: Final = 6.0


def generate(folder: Path, prompts: Sequence[str], seed: int = 0, steps: int = STEPS) -> list[Image.Image]:
    """One 256 x 256 picture for each prompt, the first from `seed`, each from the next seed."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return [
        pipeline(
            prompt,
            height=256,
            width=256,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(number),
        ).images[0]
        for number, prompt in enumerate(prompts, seed)
    ]


def sheet(pictures: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """Pictures in rows of six, each with its caption below."""
    rows = -(-len(pictures) // _COLUMNS)
    canvas = Image.new("RGB", (_COLUMNS * (_CELL + 4), rows * (_CELL + _CAPTION)), "white")
    pen = ImageDraw.Draw(canvas)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = number % _COLUMNS * (_CELL + 4), number // _COLUMNS * (_CELL + _CAPTION)
        canvas.paste(picture.resize((_CELL, _CELL)), (x, y))
        pen.text((x + 2, y + _CELL + 2), caption[:34], fill="black")
    return canvas
