"""Trains the autoencoder between pictures and latents."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from diffusers import AutoencoderKL

from training import architecture, running
from training.drawing import Drawer

Batches = Callable[[int], torch.Tensor]  # a number of pictures, (n, 3, 256, 256) from -1 to 1


@dataclass(frozen=True)
class VaeSettings:
    """How to train it.

    Attributes:
        stages: Steps and batch size of each stage: large batches to find the way, small ones for many steps.
        learning_rate: At its peak.
        warm_up: Steps until then.
    """

    stages: tuple[tuple[int, int], ...] = ((1_841, 32), (2_749, 16))
    learning_rate: float = 6e-4
    warm_up: int = 200


def edges(picture: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of gradients at full, half and quarter size: what keeps outlines sharp."""
    total = picture.new_zeros(())
    for _ in range(3):
        gap = picture - other
        total = total + gap.diff(dim=-1).abs().mean() + gap.diff(dim=-2).abs().mean()
        picture, other = functional.avg_pool2d(picture, 2), functional.avg_pool2d(other, 2)
    return total


def chroma(gap: torch.Tensor) -> torch.Tensor:
    """Mean error of red and blue beyond that of luma (BT.601): narrow VAEs lose colour first."""
    luma = (gap * gap.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    return (gap[:, [0, 2]] - luma).abs().mean()


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """KL divergence of the scaled latents from a unit Gaussian, a mean per element."""
    mean = mean.float() * architecture.LATENT_SCALE
    log_variance = log_variance.float() + 2 * math.log(architecture.LATENT_SCALE)
    return (0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)).mean()


def loss_of(vae: AutoencoderKL, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss, and the mean squared error in it."""
    with running.mixed_precision(pictures.device):
        posterior = vae.encode(pictures).latent_dist
        decoded = vae.decode(posterior.sample(), return_dict=False)[0]
    gap = decoded.float() - pictures
    squared = (gap**2).mean()
    areas = functional.avg_pool2d(gap, 8).abs().mean()  # flat colours must not drift
    sharp = edges(decoded.float(), pictures)
    prior = divergence(posterior.mean, posterior.logvar)
    return gap.abs().mean() + squared + 0.5 * sharp + chroma(gap) + 0.5 * areas + 1e-4 * prior, squared


def varied(pictures: torch.Tensor) -> torch.Tensor:
    """Now and then a doubled quarter, for coarse shapes, or exchanged colour channels, for rare colours."""
    if random.random() < 0.3:
        half = pictures.shape[-1] // 2
        top, left = random.randint(0, half), random.randint(0, half)
        crop = pictures[:, :, top : top + half, left : left + half]
        pictures = functional.interpolate(crop, scale_factor=2, mode="bicubic", align_corners=False).clamp(
            -1, 1
        )
    if random.random() < 0.1:
        pictures = pictures[:, random.sample((0, 1, 2), 3)]
    return pictures.contiguous(memory_format=torch.channels_last)


def psnr(squared: torch.Tensor) -> float:
    """Peak signal to noise in decibels, from a squared error of values between -1 and 1."""
    return -10 * math.log10(squared.item() / 4)


def whiten(vae: AutoencoderKL, batches: Batches, rounds: int = 64) -> None:
    """Shift and scale latents so that, times `LATENT_SCALE`, each channel has zero mean and unit variance.

    The noise schedule takes that for granted. It is folded into the 1 x 1 convolutions around the latents.
    """
    with torch.no_grad():
        means = torch.cat([vae.encode(batches(16)).latent_dist.mean.float() for _ in range(rounds)])
        centre = means.mean((0, 2, 3))
        scale = means.std((0, 2, 3)) * architecture.LATENT_SCALE
        before, after = vae.quant_conv, vae.post_quant_conv
        channels = len(centre)
        before.weight[:channels] /= scale[:, None, None, None]
        before.bias[:channels] = (before.bias[:channels] - centre) / scale
        before.bias[channels:] -= 2 * scale.log()  # the other half are log variances
        after.bias += after.weight[:, :, 0, 0] @ centre
        after.weight *= scale[None, :, None, None]


def train(drawer: Drawer, settings: VaeSettings, device: torch.device) -> AutoencoderKL:
    """A trained, averaged and whitened autoencoder in float32."""
    vae = AutoencoderKL(**architecture.VAE).to(device, memory_format=torch.channels_last)
    rate = settings.learning_rate
    optimizer = torch.optim.AdamW(vae.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)
    average = running.Average(vae.parameters(), 0.999)
    total = sum(steps for steps, _ in settings.stages)

    def batches(size: int) -> torch.Tensor:
        return drawer(torch.randint(0, len(drawer), (size,), device=device))

    step = 0
    for steps, size in settings.stages:
        for _ in range(steps):
            warm = min(1.0, (step + 1) / settings.warm_up)
            for group in optimizer.param_groups:
                group["lr"] = rate * warm * (1 - step / total) ** 0.7 + 1e-6
            loss, squared = loss_of(vae, varied(batches(size)))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
            optimizer.step()
            average.update(step)
            step += 1
            if step % 200 == 0 or step == total:
                running.say(f"vae {step}/{total}: loss {loss.item():.4f}, {psnr(squared):.2f} dB")
    average.apply()
    vae.eval()
    whiten(vae, batches)
    return vae


def evaluate(vae: AutoencoderKL, drawer: Drawer, device: torch.device, number: int = 256) -> float:
    """PSNR in decibels over the first `number` pictures of the plan, the mean of each picture's."""
    found = []
    with torch.no_grad():
        for start in range(0, min(number, len(drawer)), 16):
            pictures = drawer(torch.arange(start, min(start + 16, len(drawer)), device=device))
            decoded = vae.decode(vae.encode(pictures).latent_dist.mean).sample
            found += [psnr(squared) for squared in ((decoded - pictures) ** 2).mean((1, 2, 3))]
    return sum(found) / len(found)
