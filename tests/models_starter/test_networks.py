"""Drawing batches, and the arithmetic of training. They need torch and diffusers: skipped without the engine's
environment."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import numpy as np
import torch
from diffusers import AutoencoderKL
from training import architecture, denoiser, drawing, vae
from training.compositions import Composition, Layer
from training.textures import Bytes

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries, on import and on a CPU
CPU = torch.device("cpu")
RED = (226, 38, 45)


def square_texture() -> Bytes:
    """A red square that fills its texture."""
    texture = np.zeros((1, 4, 256, 256), np.uint8)
    texture[0, :3] = np.array(RED)[:, None, None]
    texture[0, 3] = 255
    return texture


def draw(composition: Composition) -> torch.Tensor:
    """Levels from 0 to 255, `(3, 256, 256)`."""
    plan = drawing.tabulate([composition], random.Random(0))
    picture = drawing.Drawer(square_texture(), plan, CPU)(torch.tensor([0]))[0]
    return ((picture + 1) * 127.5).round()


def test_a_layer_stands_where_it_should_on_its_ground() -> None:
    layer = Layer(0, x=-0.25, y=0.25, scale=0.4, mirrored=False)
    picture = draw(Composition("ground", "3d", (layer,), ground="blue"))
    assert picture[:, 192, 64].tolist() == list(
        RED
    )  # centre: a quarter from the left, a quarter from the foot
    for y, x in ((64, 64), (192, 192), (192 - 56, 64), (192, 64 + 56)):
        assert picture[:, y, x].tolist() == [38, 98, 217]


def test_ink_colours_a_silhouette_and_a_scene_lies_behind() -> None:
    layer = Layer(0, 0, 0, 0.4, mirrored=False)
    inked = draw(Composition("silhouette", "silhouette", (layer,), ink="teal"))
    assert inked[:, 128, 128].tolist() == [20, 150, 150]
    assert inked[:, 5, 5].tolist() == [255, 255, 255]
    grass = draw(Composition("scene", "3d", (layer,), scene=2))
    red, green, blue = grass[:, 250, 128].tolist()
    assert green > max(red, blue)
    assert grass[:, 128, 128].tolist() == list(RED)


def test_whitened_latents_have_unit_variance_and_decode_the_same() -> None:
    torch.manual_seed(0)
    network = AutoencoderKL(**{**architecture.VAE, "block_out_channels": [8, 8, 8, 8]}).eval()
    batch = torch.rand(16, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = network.decode(network.encode(batch).latent_dist.mean).sample
        vae.whiten(network, lambda _: batch, rounds=1)
        latents = network.encode(batch).latent_dist.mean * architecture.LATENT_SCALE
        after = network.decode(network.encode(batch).latent_dist.mean).sample
    assert latents.mean((0, 2, 3)).abs().max() < 0.01
    assert latents.std((0, 2, 3)).sub(1).abs().max() < 0.01
    assert torch.allclose(before, after, atol=1e-3)


def test_the_learning_rate_rises_holds_and_falls() -> None:
    settings = denoiser.DenoiserSettings(steps=10_000, warm_up=300)
    rates = [denoiser.rate_at(step, settings) for step in (0, 149, 299, 1_499, 5_750, 9_999)]
    assert rates == pytest.approx([1 / 300, 0.5, 1, 1, 0.505, 0.01], abs=1e-3)


def test_psnr_of_a_known_error() -> None:
    assert vae.psnr(torch.tensor(0.04)) == pytest.approx(20)  # a tenth of the range of two, squared
