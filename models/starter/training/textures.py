"""Renders the bundle's pictures to 256 x 256 RGBA textures, and makes recoloured copies of them."""

from __future__ import annotations

import io
import multiprocessing
import os
import random
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from training import vocabulary as words
from training.catalogue import Picture, Thing

Bytes: TypeAlias = npt.NDArray[np.uint8]

SIZE: Final = 256  # pixels, of textures and of training pictures

_HUE_BINS: Final = 72  # of five degrees
_RECOLOURABLE_GROUPS: Final = frozenset(
    (words.FACES, words.ANIMALS, words.FOOD, words.PLACES, words.ACTIVITIES, words.OBJECTS)
)
_LEAST_HUE_SHIFT: Final = 35  # degrees; nearer colours would teach that orange is red
_LEAST_PIXELS: Final = 2_000
_PINK_SATURATION: Final = 0.65


class Rendered(NamedTuple):
    """Textures `(n, 4, 256, 256)` of bytes, colours premultiplied by alpha, and what they are of."""

    textures: Bytes
    pictures: list[Picture]


class _Job(NamedTuple):
    picture: Picture
    thing: Thing
    recolours: int
    seed: int


def render(picture: Picture) -> Bytes:
    """One picture as `(256, 256, 4)` RGBA bytes, fitted and centred.

    Raises:
        ValueError: The SVG is not one that resvg can draw, or there is no source.
    """
    if isinstance(picture.source, bytes):
        image = Image.open(io.BytesIO(picture.source)).convert("RGBA")
    elif isinstance(picture.source, str):
        import resvg_py

        drawn = resvg_py.svg_to_bytes(svg_string=picture.source, width=SIZE, skip_system_fonts=True)
        image = Image.open(io.BytesIO(bytes(drawn))).convert("RGBA")
    else:
        raise ValueError(f"{picture.thing} has no source")
    if image.size != (SIZE, SIZE):
        scale = SIZE / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        canvas = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 0))
        fitted = image.resize((width, height), Image.Resampling.LANCZOS)
        canvas.paste(fitted, ((SIZE - width) // 2, (SIZE - height) // 2))
        image = canvas
    return np.asarray(image)


def premultiplied(rgba: Bytes) -> Bytes:
    """`(h, w, 4)` RGBA as `(4, h, w)`, colours multiplied by alpha so that scaling leaves no dark rims."""
    colours = rgba[..., :3].astype(np.float32) * (rgba[..., 3:].astype(np.float32) / 255)
    planes = np.concatenate([np.round(colours).astype(np.uint8), rgba[..., 3:]], axis=-1)
    return np.ascontiguousarray(planes.transpose(2, 0, 1))


def main_hue(rgba: Bytes) -> float | None:
    """The hue in degrees of a picture of one colour, or None where it has several, or is grey, or small.

    One colour: nearly half of the visible pixels are vivid, and four fifths of their saturation lies within
    55 degrees of hue.
    """
    hsv = np.asarray(Image.fromarray(rgba[..., :3]).convert("HSV")).astype(np.int32)
    visible = rgba[..., 3] > 128
    vivid = visible & (hsv[..., 1] > 80) & (hsv[..., 2] > 50)
    if visible.sum() <= _LEAST_PIXELS or vivid.sum() <= 0.45 * visible.sum():
        return None
    hues, saturations = hsv[..., 0][vivid] * (360 / 255), hsv[..., 1][vivid] / 255
    histogram, _ = np.histogram(hues, bins=_HUE_BINS, range=(0, 360), weights=saturations)
    around = np.concatenate([histogram, histogram, histogram])
    windows = np.convolve(around, np.ones(11), "same")[_HUE_BINS : 2 * _HUE_BINS]
    if windows.max() <= 0.8 * histogram.sum():
        return None
    # the mean on the circle: the fullest window of a pure colour is any of several around it
    mean = (saturations * np.exp(1j * np.radians(hues))).sum()
    return float(np.degrees(np.angle(mean))) % 360


def recolour(rgba: Bytes, degrees: float, saturation: float = 1.0) -> Bytes:
    """RGBA with every hue turned by `degrees` and its saturation scaled."""
    hsv = np.asarray(Image.fromarray(rgba[..., :3]).convert("HSV")).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] * (360 / 255) + degrees) % 360 * (255 / 360)
    hsv[..., 1] *= saturation
    turned = Image.fromarray(np.round(hsv).astype(np.uint8), "HSV").convert("RGB")
    return np.dstack([np.asarray(turned), rgba[..., 3]])


def recolours_of(rgba: Bytes, thing: Thing, number: int, rng: random.Random) -> list[tuple[str, Bytes]]:
    """Up to `number` recoloured copies by colour name; none where a thing is not of one colour."""
    if thing.group not in _RECOLOURABLE_GROUPS or words.COLOUR_WORDS & set(thing.label.split()):
        return []
    hue = main_hue(rgba)
    if hue is None:
        return []
    others = [name for name, other in words.HUES.items() if hue_distance(hue, other) > _LEAST_HUE_SHIFT]
    copies = []
    for name in rng.sample(others, min(number, len(others))):
        saturation = _PINK_SATURATION if name == "pink" else 1.0
        copies.append((name, recolour(rgba, words.HUES[name] - hue, saturation)))
    return copies


def hue_distance(one: float, other: float) -> float:
    """Degrees between two hues, the short way round."""
    gap = abs(one - other) % 360
    return min(gap, 360 - gap)


def _work(job: _Job) -> list[tuple[Picture, Bytes]]:
    """A picture and its recoloured copies; nothing where resvg cannot draw it (a ValueError)."""
    picture = job.picture
    try:
        rgba = render(picture)
    except ValueError:
        return []
    done = [(picture, rgba)]
    if picture.style == "3d" and job.recolours:
        for colour, copy in recolours_of(rgba, job.thing, job.recolours, random.Random(job.seed)):
            done.append((Picture("3d", picture.thing, recolour=colour), copy))
    return [(Picture(p.style, p.thing, recolour=p.recolour), premultiplied(x)) for p, x in done]


def render_all(
    pictures: Sequence[Picture], things: dict[str, Thing], recolours: int = 3, processes: int | None = None
) -> Rendered:
    """Every picture as a texture, originals first, on all cores.

    Args:
        pictures: Pictures with their sources.
        things: What they show.
        recolours: Recoloured copies of each picture of one colour.
        processes: Worker processes; one a core where None.
    """
    jobs = [_Job(picture, things[picture.thing], recolours, seed) for seed, picture in enumerate(pictures)]
    with multiprocessing.get_context("spawn").Pool(processes or os.cpu_count()) as pool:
        done = [pair for pairs in pool.imap(_work, jobs, chunksize=32) for pair in pairs]
    done.sort(key=lambda pair: pair[0].recolour is not None)
    return Rendered(np.stack([texture for _, texture in done]), [picture for picture, _ in done])
