"""Is this picture a red heart? Measured from its pixels with Pillow alone, so that any test may ask.

The subject is what differs from the ground at the rim. Its hue is the mean of its pixels' hues; its shape is
judged by where a heart has substance and where it has none, its bounding box stretched to a square.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageChops, ImageFilter

SIDE = 96  # the bounding box is measured at this size
_RIM = 4  # pixels of the picture's edge that show its ground
_CONTRAST = 48  # levels in some channel by which the subject differs from the ground
_LEAST_SUBJECT = 0.02  # of the picture; less is no subject
_LEAST_SATURATION = 0.15  # mean of the subject; less is grey
_LEAST_AGREEMENT = 0.9  # length of the mean hue vector; a shading from scarlet to magenta has 0.98


def subject_mask(image: Image.Image) -> Image.Image:
    """Where the subject is, as an `L` image of 0 and 255 as large as `image`.

    Holes smaller than a few pixels, from highlights and noise, are closed.
    """
    rgb = image.convert("RGB")
    ground = Image.new("RGB", rgb.size, _ground(rgb))
    red, green, blue = ImageChops.difference(rgb, ground).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    mask = most.point([255 if level > _CONTRAST else 0 for level in range(256)])
    return mask.filter(ImageFilter.MedianFilter(5))


def _ground(rgb: Image.Image) -> tuple[int, int, int]:
    """The median colour along the rim."""
    width, height = rgb.size
    strips = (
        (0, 0, width, _RIM),
        (0, height - _RIM, width, height),
        (0, 0, _RIM, height),
        (width - _RIM, 0, width, height),
    )
    pixels = [pixel for strip in strips for pixel in _triples(rgb.crop(strip))]
    red, green, blue = (sorted(channel)[len(channel) // 2] for channel in zip(*pixels, strict=True))
    return red, green, blue


def _triples(image: Image.Image) -> list[tuple[int, int, int]]:
    data = image.tobytes()
    return list(zip(data[0::3], data[1::3], data[2::3], strict=True))


def dominant_hue(image: Image.Image) -> float | None:
    """The subject's mean hue in degrees from 0 to 360, weighted by saturation.

    The mean is taken on the circle, so that reds on either side of 0 do not average to cyan.

    Returns:
        None where there is no subject, or it is grey, or of so many colours that none is its own.
    """
    mask = subject_mask(image).tobytes()
    pixels = _triples(image.convert("HSV"))
    total, saturations, number = 0j, 0, 0
    for (hue, saturation, _), inside in zip(pixels, mask, strict=True):
        if inside:
            total += saturation * cmath.exp(2j * math.pi * hue / 256)
            saturations += saturation
            number += 255
    if saturations <= _LEAST_SATURATION * number or abs(total) < _LEAST_AGREEMENT * saturations:
        return None
    return math.degrees(cmath.phase(total)) % 360


def is_red(hue: float | None) -> bool:
    """Whether a hue is one that people call red: from crimson (335 degrees) to scarlet (15 degrees)."""
    return hue is not None and (hue >= 335 or hue <= 15)


@dataclass(frozen=True)
class HeartScore:
    """How much a mask is like a heart, each from 0 to 1 and best at 1.

    Attributes:
        filled: Share of the outline's inside that is subject: a drawn outline is none.
        symmetric: Overlap with its mirror image.
        notch: Depth of the dip between the lobes, as a share of the height, over a tenth.
        lobes: Whether both halves rise to the top, one each side of the dip.
        point: How narrow it is near the bottom against its widest row.
        taper: How steadily it narrows from its widest row down.
    """

    filled: float
    symmetric: float
    notch: float
    lobes: float
    point: float
    taper: float

    @property
    def total(self) -> float:
        """The worst of them: a heart must be one in every way."""
        return min(self.filled, self.symmetric, self.notch, self.lobes, self.point, self.taper)


NO_HEART = HeartScore(0, 0, 0, 0, 0, 0)
PASS = 0.6  # generated hearts reach 0.98, what is no heart stays below 0.3


def heart_score(mask: Image.Image) -> HeartScore:
    """Score a mask as `subject_mask` makes it."""
    box = mask.getbbox()
    if box is None or mask.histogram()[255] < _LEAST_SUBJECT * mask.width * mask.height:
        return NO_HEART
    data = mask.crop(box).resize((SIDE, SIDE), Image.Resampling.BOX).tobytes()
    rows = [[level > 127 for level in data[y * SIDE : (y + 1) * SIDE]] for y in range(SIDE)]
    tops = [next((y for y in range(SIDE) if rows[y][x]), SIDE) for x in range(SIDE)]
    notch, lobes = _lobes(tops)
    widths = [_width(row) for row in rows]
    return HeartScore(_filled(rows, widths), _symmetric(rows), notch, lobes, *_tail(widths))


def _width(row: list[bool]) -> int:
    """From the first to the last pixel of the subject."""
    return SIDE - row.index(True) - row[::-1].index(True) if True in row else 0


def _filled(rows: list[list[bool]], widths: list[int]) -> float:
    """Subject within its rows' spans. The top third is left out, where a heart is two humps."""
    below = range(SIDE // 3, SIDE)
    return sum(sum(rows[y]) for y in below) / max(1, sum(widths[y] for y in below))


def _symmetric(rows: list[list[bool]]) -> float:
    """Intersection over union with the mirror image."""
    both = either = 0
    for row in rows:
        for left, right in zip(row, reversed(row), strict=True):
            both += left and right
            either += left or right
    return both / max(1, either)


def _lobes(tops: list[int]) -> tuple[float, float]:
    """Depth of the dip in the middle third of the upper outline, and how far both sides rise above it alike."""
    third = SIDE // 3
    dip = max(tops[third : 2 * third])
    where = third + tops[third : 2 * third].index(dip)
    left, right = min(tops[:where]), min(tops[where:])
    depth = dip - max(left, right)
    if depth <= 0 or dip >= SIDE // 2:  # no dip, or one that parts the subject
        return 0.0, 0.0
    return min(1.0, depth / SIDE / 0.1), 1 - min(1.0, abs(left - right) / depth / 2)


def _tail(widths: list[int]) -> tuple[float, float]:
    """How pointed the bottom is, and which share of the rows below the widest narrows or stays."""
    widest = max(range(SIDE), key=widths.__getitem__)
    if widest > SIDE // 2:
        return 0.0, 0.0
    foot = max(widths[int(SIDE * 0.95) :]) / widths[widest]
    lower = widths[int(SIDE * 0.75)] / widths[widest]
    narrowing = [below <= above + 1 for above, below in pairwise(widths[widest:])]
    pointed = 1 - max(0.0, (foot - 0.3) / 0.3, (lower - 0.65) / 0.2)
    return max(0.0, pointed), sum(narrowing) / len(narrowing)


def is_heart(image: Image.Image) -> bool:
    """Whether the picture's subject has the shape of a heart, of whatever colour."""
    return heart_score(subject_mask(image)).total >= PASS


def is_red_heart(image: Image.Image) -> bool:
    """Whether anyone would call it a red heart."""
    return is_heart(image) and is_red(dominant_hue(image))
