"""One training session from prepared data to an exported folder."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from transformers import CLIPTokenizer

from training import (
    assets,
    catalogue,
    denoiser,
    drawing,
    export,
    meaning,
    running,
    shards,
    text,
    textures,
    vae,
)


def load_data(options: argparse.Namespace, device: torch.device) -> tuple[drawing.Drawer, list[list[str]]]:
    """Pictures ready to draw on `device`, and their captions."""
    pictures, things = assets.load(options.work / "assets.xz")
    rendered = textures.render_all(pictures, things, options.recolours)
    copies = sum(picture.recolour is not None for picture in rendered.pictures)
    running.say(f"{len(rendered.pictures) - copies} pictures rendered, {copies} recoloured copies")
    known = catalogue.build(rendered.pictures, things)
    plan, captions = drawing.compose(known, options.compositions, options.captions, options.seed)
    running.say(f"{len(captions)} compositions, such as {captions[0][0]!r}")
    return drawing.Drawer(rendered.textures, plan, device), captions


def run(options: argparse.Namespace) -> None:
    """Train as the command line says; writes `weights/` and `TENSORS.sha256` into the work folder."""
    work: Path = options.work
    running.seed_everything(options.seed)
    device = running.pick_device()
    drawer, captions = load_data(options, device)

    stages = tuple(zip(options.vae_steps, (32, 16), strict=True))
    stages = tuple((steps, min(size, options.batch)) for steps, size in stages)
    autoencoder = vae.train(drawer, replace(vae.VaeSettings(), stages=stages), device)
    autoencoder.requires_grad_(False)
    running.say(f"vae: {vae.evaluate(autoencoder, drawer, device):.2f} dB")
    latents = denoiser.encode_all(autoencoder, drawer, device)
    running.say(f"latents: mean {latents.float().mean():.3f}, deviation {latents.float().std():.3f}")

    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    ids = text.tokenise(tokenizer, [caption for several in captions for caption in several])
    ids = ids.view(len(captions), options.captions, -1).to(device)
    learner = text.TextLearner(tokenizer, meaning.load(work / "meanings.npz"), device)
    learner.distil(text.DistilSettings(options.text_steps, min(1_024, 2 * options.batch)))

    settings = denoiser.DenoiserSettings(steps=options.steps, batch=options.batch, compile=options.compile)
    trainer = denoiser.DenoiserTrainer(latents, ids, learner, settings)
    trainer.train()
    export.export(trainer.unet, autoencoder, learner.encoder, work / "tokenizer", work / "weights")
    shards.write_digests(work / "weights", work / "TENSORS.sha256")
    running.say(f"written to {work / 'weights'}")
