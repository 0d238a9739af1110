"""Draws the backgrounds of `vocabulary.SCENES`: sky, ground and what belongs there, each in many variants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from training import vocabulary as words
from training.textures import SIZE, Bytes

Field: TypeAlias = npt.NDArray[np.float32]  # (h, w) or (h, w, 3), colours from 0 to 255

_WHITE: Final = (255, 255, 255)
_SKY: Final = ((112, 193, 250), (205, 236, 255))


class Painter:
    """A canvas of `SIZE` x `SIZE` whose coordinates run from 0 to 1, x to the right and y down."""

    def __init__(self, rng: np.random.Generator) -> None:
        """`rng` decides everything that varies."""
        self.rng = rng
        y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
        self.x: Field = x
        self.y: Field = y
        self.horizon = float(rng.uniform(0.52, 0.66))
        self.image: Field = np.zeros((SIZE, SIZE, 3), np.float32)

    def between(self, low: float, high: float) -> float:
        """A number from a range."""
        return float(self.rng.uniform(low, high))

    def near(self, colour: words.Rgb, spread: int = 14) -> words.Rgb:
        """A colour up to `spread` levels off in each channel."""
        red, green, blue = np.clip(np.add(colour, self.rng.integers(-spread, spread + 1, 3)), 0, 255)
        return int(red), int(green), int(blue)

    def gradient(self, top: words.Rgb, bottom: words.Rgb, along: Field) -> Field:
        """From `top` where `along` is 0 to `bottom` where it is 1."""
        share = np.clip(along, 0, 1)[..., None]
        mixed: Field = (np.asarray(top) * (1 - share) + np.asarray(bottom) * share).astype(np.float32)
        return mixed

    def sky(self, top: words.Rgb = _SKY[0], bottom: words.Rgb = _SKY[1]) -> None:
        """Fill the canvas with a sky that reaches down to the horizon."""
        self.image = self.gradient(self.near(top), self.near(bottom), self.y / self.horizon)

    def ground(self, edge: Field | float, top: words.Rgb, bottom: words.Rgb, sharpness: float = 70) -> None:
        """Fill everything below `edge`, given as a y for every pixel."""
        share = np.clip((self.y - edge) * sharpness, 0, 1)[..., None]
        colours = self.gradient(
            self.near(top), self.near(bottom), (self.y - self.horizon) / (1 - self.horizon)
        )
        self.image = self.image * (1 - share) + colours * share

    def wave(self, height: float, slowest: float, fastest: float) -> Field:
        """A sine along x, for hills, dunes and waves."""
        turned: Field = height * np.sin(self.x * self.between(slowest, fastest) + self.between(0, 6))
        return turned

    def disc(self, x: float, y: float, radius: float, colour: words.Rgb, soft: float = 0.015) -> None:
        """A disc with a soft edge: sun, moon, star, bubble."""
        distance = np.sqrt((self.x - x) ** 2 + (self.y - y) ** 2)
        share = np.clip((radius - distance) / soft, 0, 1)[..., None]
        self.image = self.image * (1 - share) + np.asarray(colour, np.float32) * share

    def clouds(self, fewest: int, most: int, lowest: float) -> None:
        """Clouds of three discs, none below `lowest`."""
        for _ in range(self.rng.integers(fewest, most)):
            x, y, size = self.between(0, 1), self.between(0.06, lowest), self.between(0.03, 0.06)
            for shift, part in ((-1.2, 0.8), (0.0, 1.15), (1.2, 0.85)):
                self.disc(x + shift * size, y - (part - 0.8) * size * 0.6, size * part, _WHITE, 0.01)

    def specks(self, number: int, radius: float, colour: words.Rgb = _WHITE) -> None:
        """Stars or snow."""
        for _ in range(number):
            self.disc(self.between(0, 1), self.between(0, 1), radius, colour, 0.004)


def _space(p: Painter) -> None:
    p.image = p.gradient(p.near((8, 10, 36), 8), p.near((36, 22, 84), 8), p.y)
    for radius in (0.003, 0.005, 0.008):
        p.specks(int(p.rng.integers(14, 27)), radius, (255, 255, int(p.rng.integers(200, 256))))


def _night(p: Painter) -> None:
    p.image = p.gradient(p.near((16, 24, 66), 8), p.near((58, 74, 138)), p.y)
    for radius in (0.003, 0.005, 0.008):
        p.specks(int(p.rng.integers(14, 27)), radius, (255, 255, int(p.rng.integers(200, 256))))
    p.disc(p.between(0.1, 0.9), p.between(0.1, 0.25), p.between(0.05, 0.09), (250, 245, 215))


def _grass(p: Painter) -> None:
    p.sky()
    p.clouds(0, 4, 0.35)
    p.ground(p.horizon + p.wave(0.03, 3, 8), (125, 200, 75), (60, 145, 50), 60)
    if p.rng.random() < 0.5:
        p.disc(0.15 if p.rng.random() < 0.5 else 0.85, 0.15, 0.08, (255, 222, 80))


def _beach(p: Painter) -> None:
    p.sky()
    p.ground(p.horizon - 0.14, (30, 130, 205), (70, 195, 215), 200)
    p.ground(p.horizon + p.wave(0.01, 14, 14), (250, 228, 170), (232, 198, 130), 80)
    p.clouds(0, 3, 0.3)


def _sea(p: Painter) -> None:
    p.sky()
    p.ground(p.horizon - 0.05 + p.wave(0.012, 18, 30), (45, 140, 220), (12, 70, 150), 90)
    p.clouds(0, 4, 0.35)


def _snow(p: Painter) -> None:
    p.sky((160, 200, 235), (222, 236, 250))
    p.ground(p.horizon + p.wave(0.02, 5, 5), (246, 250, 255), (216, 230, 246), 60)
    p.specks(40, 0.006)


def _desert(p: Painter) -> None:
    p.sky((250, 205, 130), (255, 232, 190))
    p.disc(p.between(0.15, 0.85), 0.2, 0.09, (255, 240, 200))
    p.ground(p.horizon + p.wave(0.05, 4, 7), (232, 170, 90), (200, 125, 60), 60)


def _sunset(p: Painter) -> None:
    p.sky((95, 50, 130), (255, 160, 80))
    p.disc(p.between(0.3, 0.7), p.horizon - 0.03, p.between(0.12, 0.18), (255, 222, 120))
    p.ground(p.horizon, (160, 70, 100), (50, 25, 75), 200)


def _underwater(p: Painter) -> None:
    p.image = p.gradient(p.near((70, 190, 225)), p.near((8, 50, 120)), p.y)
    for _ in range(p.rng.integers(8, 20)):
        x, y, radius = p.between(0, 1), p.between(0, 1), p.between(0.008, 0.025)
        p.disc(x, y, radius, (190, 230, 250), 0.008)
        p.disc(x, y, radius * 0.7, (90, 180, 220), 0.008)
    if p.rng.random() < 0.6:
        p.ground(0.88 + p.wave(0.02, 9, 9), (225, 200, 140), (215, 190, 130), 60)


def _table(p: Painter) -> None:
    p.sky((240, 228, 210), (225, 208, 185))
    p.ground(p.horizon, (176, 116, 66), (128, 78, 40), 200)
    grain = np.where(p.y > p.horizon, 6 * np.sin(p.y * 90), 0).astype(np.float32)
    p.image = p.image + grain[..., None]


def _clouds(p: Painter) -> None:
    p.image = p.gradient(p.near((90, 170, 245)), p.near((205, 232, 255)), p.y)
    p.clouds(3, 8, 0.9)


PAINTERS: Final[dict[str, Callable[[Painter], None]]] = {
    "space": _space,
    "night": _night,
    "grass": _grass,
    "beach": _beach,
    "sea": _sea,
    "snow": _snow,
    "desert": _desert,
    "sunset": _sunset,
    "underwater": _underwater,
    "table": _table,
    "sky": _clouds,
}


def paint(scene: str, seed: int) -> Bytes:
    """One background as `(3, 256, 256)` bytes.

    Raises:
        KeyError: There is no such scene.
    """
    painter = Painter(np.random.default_rng((seed, words.SCENE_NAMES.index(scene))))
    PAINTERS[scene](painter)
    return np.ascontiguousarray(np.clip(painter.image, 0, 255).astype(np.uint8).transpose(2, 0, 1))


def paint_all(variants: int = words.SCENE_VARIANTS) -> Bytes:
    """All backgrounds, `(scenes * variants, 3, 256, 256)`, variants of a scene side by side."""
    return np.stack([paint(scene, seed) for scene in words.SCENE_NAMES for seed in range(variants)])
