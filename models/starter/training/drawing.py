"""Draws batches of compositions on the GPU, from textures that stay there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as functional

from training import scenes
from training import vocabulary as words
from training.captions import Captioner
from training.catalogue import Catalogue
from training.compositions import Composer, Composition
from training.textures import SIZE, Bytes

MOST_LAYERS: Final = 4
_BLUR_PIXELS: Final = {1: 8, 2: 12}
_HALVED_BELOW: Final = 0.62  # scale under which a texture is halved first, or sampling it would flicker


@dataclass(frozen=True)
class Plan:
    """Compositions as arrays, one row each, -1 for none.

    Attributes:
        textures: `(n, 4)` picture numbers.
        places: `(n, 4, 4)` x, y, scale and mirroring of each layer.
        grounds: `(n, 3)` background colours.
        scenes: `(n,)` numbers of drawn backgrounds, counted over scenes and variants.
        inks: `(n, 3)` colours of silhouettes.
        blurs: `(n,)` steps of blur.
    """

    textures: torch.Tensor
    places: torch.Tensor
    grounds: torch.Tensor
    scenes: torch.Tensor
    inks: torch.Tensor
    blurs: torch.Tensor


def tabulate(compositions: Sequence[Composition], rng: random.Random) -> Plan:
    """Compositions as a `Plan`; `rng` chooses the variant of each scene."""
    number = len(compositions)
    textures = np.full((number, MOST_LAYERS), -1, np.int64)
    places = np.zeros((number, MOST_LAYERS, 4), np.float32)
    inks = np.full((number, 3), -1, np.int64)
    scene_numbers = np.full(number, -1, np.int64)
    for row, composition in enumerate(compositions):
        for depth, layer in enumerate(composition.layers):
            textures[row, depth] = layer.picture
            places[row, depth] = layer.x, layer.y, layer.scale, layer.mirrored
        if composition.scene is not None:
            scene_numbers[row] = composition.scene * words.SCENE_VARIANTS + rng.randrange(
                words.SCENE_VARIANTS
            )
        if composition.ink is not None:
            inks[row] = words.COLOURS[composition.ink]
    grounds = np.array([composition.ground_rgb for composition in compositions], np.int64)
    blurs = np.array([composition.blur for composition in compositions], np.int64)
    return Plan(*map(torch.from_numpy, (textures, places, grounds, scene_numbers, inks, blurs)))


def compose(catalogue: Catalogue, number: int, captions: int, seed: int) -> tuple[Plan, list[list[str]]]:
    """`number` compositions and `captions` captions for each."""
    rng = random.Random(seed)
    composer, captioner = Composer(catalogue, rng), Captioner(catalogue, rng)
    drawn = [composer.draw() for _ in range(number)]
    texts = [[captioner.caption(composition) for _ in range(captions)] for composition in drawn]
    return tabulate(drawn, rng), texts


class Drawer:
    """Holds textures, backgrounds and a plan on a device, and draws rows of the plan."""

    def __init__(self, textures: Bytes, plan: Plan, device: torch.device) -> None:
        """`textures` as `textures.render_all` makes them, 256 KiB each."""
        self._textures = torch.from_numpy(textures).to(device)
        self._scenes = torch.from_numpy(scenes.paint_all()).to(device)
        self._plan = Plan(**{name: value.to(device) for name, value in vars(plan).items()})
        axis = (torch.arange(SIZE, device=device) + 0.5) / SIZE * 2 - 1
        self._y, self._x = torch.meshgrid(axis, axis, indexing="ij")

    def __len__(self) -> int:
        return len(self._plan.textures)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Pictures `(len(rows), 3, 256, 256)` from -1 to 1."""
        plan = self._plan
        image = plan.grounds[rows].float()[:, :, None, None].expand(-1, 3, SIZE, SIZE).clone()
        in_scene = (plan.scenes[rows] >= 0).nonzero()[:, 0]
        image[in_scene] = self._scenes[plan.scenes[rows[in_scene]]].float()
        for depth in range(MOST_LAYERS):
            here = (plan.textures[rows, depth] >= 0).nonzero()[:, 0]
            if not len(here):
                break
            drawn = self._layer(rows[here], depth)
            image[here] = image[here] * (1 - drawn[:, 3:] / 255) + drawn[:, :3]
        for step, pixels in _BLUR_PIXELS.items():
            blurred = (plan.blurs[rows] == step).nonzero()[:, 0]
            if len(blurred):
                small = functional.interpolate(image[blurred], size=SIZE // pixels, mode="area")
                image[blurred] = functional.interpolate(small, size=SIZE, mode="bilinear")
        return (image / 127.5 - 1).clamp(-1, 1)

    def _layer(self, rows: torch.Tensor, depth: int) -> torch.Tensor:
        """One layer of `rows`, `(n, 4, 256, 256)`, placed on an empty canvas."""
        plan = self._plan
        texture = self._textures[plan.textures[rows, depth]].float()
        ink = plan.inks[rows]
        inked = ink[:, 0] >= 0
        texture[inked, :3] = texture[inked, 3:] * ink[inked].float()[:, :, None, None] / 255
        x, y, scale, mirrored = plan.places[rows, depth].unbind(-1)
        across = (self._x - 2 * x[:, None, None]) / scale[:, None, None] * (1 - 2 * mirrored)[:, None, None]
        down = (self._y - 2 * y[:, None, None]) / scale[:, None, None]
        grid = torch.stack([across, down], -1)
        drawn = functional.grid_sample(texture, grid, padding_mode="zeros", align_corners=False)
        small = scale < _HALVED_BELOW
        if small.any():
            halved = functional.avg_pool2d(texture[small], 2)
            drawn[small] = functional.grid_sample(
                halved, grid[small], padding_mode="zeros", align_corners=False
            )
        return drawn
