"""Nodes that work on pictures with no model: what the canvas and the workflow editor build around a denoising.

A mask's black is what is to be made anew, white what stays, as InvokeAI has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image, ImageChops, ImageFilter, ImageOps

from invokeai_saas.worker.noderules import picture_problem

Fields = dict[str, Any]
Load = Callable[[Any], Image.Image]
"""The picture that an ImageField speaks of."""


def new(mode: str, size: tuple[int, int], colour: Any = 0) -> Image.Image:
    """An even picture. Raises ValueError where no worker would make one so large."""
    if size[0] < 1 or size[1] < 1:
        raise ValueError("A picture has at least one pixel.")
    if reason := picture_problem(*size):
        raise ValueError(reason)
    return Image.new(mode, size, colour)


def _resized(image: Image.Image, width: float, height: float) -> Image.Image:
    size = max(round(width), 1), max(round(height), 1)
    if reason := picture_problem(*size):
        raise ValueError(reason)
    return image.resize(size)


def _blank(fields: Fields, _: Load) -> Image.Image:
    colour = fields.get("color") or {"r": 0, "g": 0, "b": 0, "a": 255}
    mode = fields.get("mode") or "RGB"
    return new(
        mode,
        (fields.get("width") or 512, fields.get("height") or 512),
        tuple(colour[band.lower()] for band in mode),
    )


def _resize(fields: Fields, load: Load) -> Image.Image:
    return _resized(load(fields["image"]), fields.get("width") or 512, fields.get("height") or 512)


def _scale(field: str, usual: float) -> Callable[[Fields, Load], Image.Image]:
    def scale(fields: Fields, load: Load) -> Image.Image:
        image, factor = load(fields["image"]), float(fields.get(field) or usual)
        return _resized(image, image.width * factor, image.height * factor)

    return scale


def _crop(fields: Fields, load: Load) -> Image.Image:
    left, top = fields.get("x") or 0, fields.get("y") or 0
    width, height = fields.get("width") or 512, fields.get("height") or 512
    area = new("RGBA", (width, height))
    area.paste(load(fields["image"]), (-left, -top))
    return area


def _crop_to_box(fields: Fields, load: Load) -> Image.Image:
    box = fields["bounding_box"]
    return load(fields["image"]).crop((box["x_min"], box["y_min"], box["x_max"], box["y_max"]))


def _paste_into_box(fields: Fields, load: Load) -> Image.Image:
    box, target = fields["bounding_box"], load(fields["target_image"]).convert("RGBA")
    source = load(fields["source_image"]).convert("RGBA")
    target.paste(source, (box["x_min"], box["y_min"]), source)
    return target


def _pad(fields: Fields, load: Load) -> Image.Image:
    image = load(fields["image"])
    left, right, top, bottom = (fields.get(side) or 0 for side in ("left", "right", "top", "bottom"))
    padded = new("RGBA", (image.width + left + right, image.height + top + bottom))
    padded.paste(image, (left, top))
    return padded


def _paste(fields: Fields, load: Load) -> Image.Image:
    base, image = load(fields["base_image"]).convert("RGBA"), load(fields["image"]).convert("RGBA")
    mask = ImageOps.invert(load(fields["mask"]).convert("L")) if fields.get("mask") else None
    layer = Image.new("RGBA", base.size)
    layer.paste(image, (fields.get("x") or 0, fields.get("y") or 0), mask)
    return Image.alpha_composite(base, layer)


def _blur(fields: Fields, load: Load) -> Image.Image:
    return load(fields["image"]).filter(ImageFilter.GaussianBlur(fields.get("radius") or 8))


def _alpha(fields: Fields, load: Load) -> Image.Image:
    alpha = load(fields["image"]).split()[-1]
    return ImageOps.invert(alpha) if fields.get("invert") else alpha


def _combined(fields: Fields, load: Load) -> Image.Image:
    return ImageChops.multiply(load(fields["mask1"]).convert("L"), load(fields["mask2"]).convert("L"))


def _masked(fields: Fields, load: Load) -> Image.Image:
    image = load(fields["image"]).convert("RGBA")
    mask = load(fields["mask"]).convert("L").resize(image.size)
    image.putalpha(ImageOps.invert(mask) if fields.get("invert_mask") else mask)
    return image


def _pasted_back(fields: Fields, load: Load) -> Image.Image:
    source, target = load(fields["source_image"]), load(fields["target_image"])
    mask = ImageOps.invert(load(fields["mask"]).convert("L"))
    source.paste(target, (0, 0), mask.resize(target.size))
    return source


def _masked_and_cropped(fields: Fields, load: Load) -> Image.Image:
    generated = load(fields["generated_image"])
    mask = ImageOps.invert(load(fields["mask"]).convert("L")).resize(generated.size)
    if not fields.get("source_image"):
        generated.putalpha(mask)
        return generated
    source = load(fields["source_image"])
    source.paste(generated, (0, 0), mask)
    return source


def _infilled(fields: Fields, load: Load) -> Image.Image:
    """The empty parts get the mean colour of the others."""
    image = load(fields["image"]).convert("RGBA")
    colour = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    filled = Image.new("RGBA", image.size, (*colour[:3], 255) if isinstance(colour, tuple) else 255)
    filled.alpha_composite(image)
    return filled.convert("RGB")


def _blended(fields: Fields, load: Load) -> Image.Image:
    base = load(fields["layer_base"]).convert("RGBA")
    upper = load(fields["layer_upper"]).convert("RGBA").resize(base.size)
    opacity = fields.get("opacity")
    upper.putalpha(upper.getchannel("A").point(lambda part: int(part * (1 if opacity is None else opacity))))
    return Image.alpha_composite(base, upper)


PICTURES: dict[str, Callable[[Fields, Load], Image.Image]] = {
    "apply_mask_to_image": _masked,
    "blank_image": _blank,
    "canvas_paste_back": _pasted_back,
    "canvas_v2_mask_and_crop": _masked_and_cropped,
    "crop_image_to_bounding_box": _crop_to_box,
    "expand_mask_with_fade": lambda fields, load: load(fields["mask"]).convert("L"),
    "img_blur": _blur,
    "img_crop": _crop,
    "img_pad_crop": _pad,
    "img_paste": _paste,
    "img_resize": _resize,
    "img_scale": _scale("scale_factor", 2.0),
    "infill_cv2": _infilled,
    "infill_patchmatch": _infilled,
    "infill_rgba": _infilled,
    "infill_tile": _infilled,
    "invokeai_img_blend": _blended,
    "mask_combine": _combined,
    "paste_image_into_bounding_box": _paste_into_box,
    "spandrel_image_to_image": _scale("scale", 4.0),
    "spandrel_image_to_image_autoscale": _scale("scale", 4.0),
    "tomask": _alpha,
}
"""By type of node: from its fields to the picture that it saves. Others pass on the first picture they are given."""
