"""Trains the UNet and the text encoder together to predict velocity."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.nn.functional as functional
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

from training import architecture, running
from training.drawing import Drawer
from training.text import TextLearner, apart

_CAPTION_DROPOUT: Final = 0.1  # what classifier-free guidance needs
_SNR_CAP: Final = 6.0
_REHEARSED: Final = 128  # phrases of meaning in each step, so that the text encoder keeps what it learnt
_LEAST_RATE: Final = 0.01  # of the peak, at the end


@dataclass(frozen=True)
class DenoiserSettings:
    """How to train it.

    Attributes:
        steps: Optimizer steps.
        batch: Latents a step.
        learning_rate: Of the UNet at its peak; the text encoder takes half.
        warm_up: Steps until the peak, which holds for 15% of all steps.
        compile: Whether torch.compile is worth its two minutes.
    """

    steps: int = 10_500
    batch: int = 512
    learning_rate: float = 8e-4
    warm_up: int = 300
    compile: bool = True


def encode_all(vae: AutoencoderKL, drawer: Drawer, device: torch.device, batch: int = 64) -> torch.Tensor:
    """Latents of every composition, `(n, 4, 32, 32)` in bfloat16: 8 KiB each, so that they fit on the GPU."""
    shape = (len(drawer), 4, architecture.LATENT_SIZE, architecture.LATENT_SIZE)
    latents = torch.empty(shape, dtype=torch.bfloat16, device=device)
    with torch.no_grad(), running.mixed_precision(device):
        for start in range(0, len(drawer), batch):
            rows = torch.arange(start, min(start + batch, len(drawer)), device=device)
            pictures = drawer(rows).contiguous(memory_format=torch.channels_last)
            latents[rows] = (vae.encode(pictures).latent_dist.mean * architecture.LATENT_SCALE).bfloat16()
    return latents


def rate_at(step: int, settings: DenoiserSettings) -> float:
    """Share of the peak learning rate: a linear rise, a plateau, then a cosine down."""
    done = step / settings.steps
    fall = 1.0
    if done >= 0.15:
        cosine = 0.5 * (1 + math.cos(math.pi * (done - 0.15) / 0.85))
        fall = _LEAST_RATE + (1 - _LEAST_RATE) * cosine
    return min(1.0, (step + 1) / settings.warm_up) * fall


class DenoiserTrainer:
    """The networks with their data on one device."""

    def __init__(
        self, latents: torch.Tensor, captions: torch.Tensor, text: TextLearner, settings: DenoiserSettings
    ) -> None:
        """`latents` as `encode_all` makes them; `captions` `(n, captions, tokens)` token ids."""
        self._latents, self._captions, self._text = latents, captions, text
        self._settings = settings
        self._device = latents.device
        self.unet = UNet2DConditionModel(**architecture.UNET).to(
            self._device, memory_format=torch.channels_last
        )
        noise = {**architecture.NOISE}
        self._alphas = DDPMScheduler(**noise).alphas_cumprod.to(self._device)
        self._empty = torch.full((architecture.CONTEXT_TOKENS,), text.end, device=self._device)
        self._empty[0] = text.end - 1  # the start of text
        self._parameters = [*self.unet.parameters(), *text.parameters()]
        self._velocity: Callable[..., Any] = self.unet
        if settings.compile and self._device.type == "cuda":
            self._velocity = torch.compile(self.unet)

    def _optimizer(self) -> torch.optim.Optimizer:
        rate = self._settings.learning_rate
        groups: list[dict[str, Any]] = [
            {"params": list(self.unet.parameters()), "peak": rate, "weight_decay": 0.01},
            {"params": self._text.parameters(), "peak": rate / 2, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=self._device.type == "cuda")

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents `(b, 4, 32, 32)` and token ids `(b, 77)`, some of them of no caption."""
        size = self._settings.batch
        rows = torch.randint(0, len(self._latents), (size,), device=self._device)
        which = torch.randint(0, self._captions.shape[1], (size,), device=self._device)
        ids = self._captions[rows, which].long()
        ids = functional.pad(ids, (0, architecture.CONTEXT_TOKENS - ids.shape[-1]), value=self._text.end)
        ids[torch.rand(size, device=self._device) < _CAPTION_DROPOUT] = self._empty
        return self._latents[rows].float(), ids

    def loss(self, latents: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Velocity loss times min(1, 6 / (snr + 1)): Min-SNR (Hang et al. 2023, arXiv 2303.09556) for v."""
        times = torch.randint(0, len(self._alphas), (len(latents),), device=self._device)
        alpha = self._alphas[times][:, None, None, None]
        noise = torch.randn_like(latents)
        noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
        velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
        snr = (alpha / (1 - alpha)).flatten()
        with running.mixed_precision(self._device):
            context = self._text.encoder(ids).last_hidden_state
            noisy = noisy.contiguous(memory_format=torch.channels_last)
            found = self._velocity(noisy, times, context, return_dict=False)[0]
        errors = ((found.float() - velocity) ** 2).mean((1, 2, 3))
        return (errors * (_SNR_CAP / (snr + 1)).clamp(max=1)).mean()

    def train(self) -> float:
        """Run all steps and leave the averaged weights in place.

        Returns:
            The running mean of the loss at the end.
        """
        optimizer = self._optimizer()
        average = running.Average(self._parameters, 0.9995)
        mean = torch.zeros((), device=self._device)
        for step in range(self._settings.steps):
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate_at(step, self._settings)
            loss = self.loss(*self._batch())
            rehearsal = apart(*self._text.lesson(_REHEARSED))
            optimizer.zero_grad(set_to_none=True)
            (loss + 0.05 * rehearsal).backward()
            torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
            optimizer.step()
            average.update(step)
            mean = loss.detach() if step == 0 else 0.98 * mean + 0.02 * loss.detach()
            if (step + 1) % 250 == 0 or step + 1 == self._settings.steps:
                running.say(f"unet {step + 1}/{self._settings.steps}: loss {mean.item():.4f}")
        average.apply()
        return float(mean)
