"""What the mock engine draws: one picture for each prompt and seed, and previews of it."""

from __future__ import annotations

import base64
import colorsys
import io
import math
from hashlib import sha256
from typing import Any

from PIL import Image, ImageDraw

_COLOURS = {
    "red": 0.0,
    "orange": 0.08,
    "yellow": 0.15,
    "green": 0.33,
    "blue": 0.6,
    "purple": 0.78,
    "pink": 0.92,
}
_PREVIEW_PIXELS = 32


def picture(prompt: str, seed: int, size: tuple[int, int]) -> Image.Image:
    """A rose curve in the prompt's colour on a soft gradient: the same prompt and seed give the same picture.

    Parameters:
        size: width and height in pixels.
    """
    digest = sha256(f"{seed}:{prompt}".encode()).digest()
    words = prompt.lower().split()
    hue = next((_COLOURS[word] for word in words if word in _COLOURS), digest[0] / 255)
    width, height = size
    background = Image.linear_gradient("L").resize(size)
    light = Image.new("RGB", size, _rgb(hue + 0.5, 0.15, 0.98))
    dark = Image.new("RGB", size, _rgb(hue + 0.5, 0.35, 0.75))
    image = Image.composite(dark, light, background)
    petals, turn = 2 + digest[1] % 6, digest[2] / 40
    radius = min(size) * 0.42
    points = []
    for degree in range(720):
        angle = math.radians(degree / 2)
        reach = radius * (0.55 + 0.45 * abs(math.cos(petals * angle / 2 + turn)))
        points.append((width / 2 + reach * math.cos(angle), height / 2 + reach * math.sin(angle)))
    ImageDraw.Draw(image).polygon(points, fill=_rgb(hue, 0.85, 0.9), outline=_rgb(hue, 0.9, 0.55))
    return image


def _rgb(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return int(red * 255), int(green * 255), int(blue * 255)


def preview(image: Image.Image, part: float) -> dict[str, Any]:
    """InvokeAI's ProgressImage: a small JPEG as a data URL that gets clearer as the steps go by.

    Parameters:
        part: of the steps that are done, from 0 to 1.
    """
    grey = Image.new("RGB", (_PREVIEW_PIXELS, _PREVIEW_PIXELS), (128, 128, 128))
    small = image.convert("RGB").resize((_PREVIEW_PIXELS, _PREVIEW_PIXELS))
    small = Image.blend(grey, small, part)
    with io.BytesIO() as out:
        small.save(out, "JPEG")
        data = base64.b64encode(out.getvalue()).decode()
    return {"width": image.width, "height": image.height, "dataURL": f"data:image/jpeg;base64,{data}"}
