"""What the values of a node's fields may be on a worker that many people share.

Some of InvokeAI's nodes take whatever number or text they are given: a range of 10^12 elements, a picture a million
pixels wide, a regular expression that never ends. On one's own machine that is one's own affair; here it would hang
or kill a worker, and each worker that tries the job after it. The rules are applied to the values that a graph
states, at the border, and once more by the engine to what each node gets when its turn comes, for values also
travel along edges.

No InvokeAI and no torch in here: the API reads it too. Sizes are in pixels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

MAX_SIDE = 16_384
MAX_AREA = 8_192 * 8_192
MAX_ASPECT = 100  # nodes that fit a short side to a model would make the long one a hundred thousand
MAX_ELEMENTS = 10_000  # of one list
MAX_STEPS = 1_000
MAX_RADIUS = 1_024  # of blurs, edges and the like, whose cost grows with it
MAX_TEXT = 100_000  # characters; one field at the border may have fewer
MAX_WEIGHT = 2_000_000  # characters and elements, nested ones counted wherever they appear
MAX_PARTS = 500_000  # of a value, nested ones counted wherever they appear: what bounds the time of a check
MAX_DEPTH = 64
MAX_INTEGER = 2**63 - 1
_MAX_VIDEOS = 100  # that one node reads
_MAX_FRAME_PIXELS = 256 * 1024 * 1024  # of a video as a tensor
_MAX_MORPHOLOGY = 10**11  # pixels times elements of the kernel: a minute or so of one core
_MAX_UPSCALED = 4_096 * 4_096  # what goes into a model that may make it four times as wide and as high
_MAX_REPLACING = 10_000_000  # comparisons, and characters of the result

Size = tuple[int, int]
SizeOf = Callable[[Any], Size | None]
"""Width and height of the picture or latents that a field's value names; None when that is unknown."""
Values = Mapping[str, Any]
_Rule = Callable[[Values, SizeOf], str | None]


def _unknown(_: Any) -> Size | None:
    return None


def problem(node_type: str, values: Values, size_of: SizeOf = _unknown) -> str | None:
    """Why a node may not run with these values; None when it may.

    Parameters:
        values: by field, as JSON or as InvokeAI's objects. A field may be missing: its default is harmless, or an
            edge will bring it. A value of a wrong type is left for validation.
        size_of: looks up the size of a picture or of latents. Without it, rules that need one assume the least.
    """
    try:
        weigh(values)
    except TooMuch as error:
        return str(error)
    rule = _RULES.get(node_type)
    return _named_fields(node_type, values) or (rule(values, size_of) if rule else None)


class TooMuch(ValueError):
    """A value that is too large, too long or too deep. Its text says what."""


def weigh(value: Any) -> int:
    """Characters and elements of a value, in bounded time and memory.

    What is shared (a list that collects another twice) is counted wherever it appears: as JSON it shares nothing.
    Raises TooMuch for a text, list, number or depth beyond the limits, or beyond MAX_WEIGHT all together.
    """
    weight = parts = 0
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        weight, parts = weight + 1, parts + 1
        if isinstance(part, str):
            if len(part) > MAX_TEXT:
                raise TooMuch(f"A text of {len(part):,} characters is too long; {MAX_TEXT:,} are possible.")
            weight += len(part)
        elif isinstance(part, int):
            if not -MAX_INTEGER <= part <= MAX_INTEGER:
                raise TooMuch("A whole number is too large; it must fit 64 bits.")
        else:
            inside = _inside(part)
            if isinstance(part, list | tuple) and (too_long := _list_of(len(part))):
                raise TooMuch(too_long)
            if inside and depth >= MAX_DEPTH:
                raise TooMuch("Its values are nested too deep.")
            waiting.extend((element, depth + 1) for element in inside)
        if weight > MAX_WEIGHT or parts + len(waiting) > MAX_PARTS:
            raise TooMuch("Its values are too large all together.")
    return weight


def _inside(part: Any) -> list[Any]:
    if isinstance(part, BaseModel):
        part = vars(part)
    if isinstance(part, Mapping):
        return [*part.keys(), *part.values()]
    return list(part) if isinstance(part, list | tuple | set | frozenset) else []


def picture_problem(width: int, height: int) -> str | None:
    """Why a picture of this size can't be made or worked on; None when it can."""
    if max(width, height) > MAX_ASPECT * min(width, height):
        return f"{width:,} x {height:,} pixels are too long and narrow; {MAX_ASPECT} to 1 is possible."
    return _too_many(width, height)


def _too_many(width: float, height: float) -> str | None:
    if max(width, height) <= MAX_SIDE and max(width, 0) * max(height, 0) <= MAX_AREA:
        return None
    return (
        f"{width:,.0f} x {height:,.0f} pixels are too many: sides may have {MAX_SIDE:,}"
        f" and the whole {MAX_AREA:,}."
    )


def _number(values: Values, field: str, default: float = 0) -> float:
    """A field's number; the default for anything that is none, which validation will say or an edge replace."""
    value = values.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return math.inf if isinstance(value, float) and value == math.inf else default
    return value


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _at_most(values: Values, field: str, limit: float) -> str | None:
    value = _number(values, field)
    return f"{field} is {value:,.10g}; {limit:,} is possible." if value > limit else None


# Fields that mean the same wherever they are.
_EVERYWHERE = {
    "steps": MAX_STEPS,
    "num_steps": MAX_STEPS,
    "num_frames": 1_000,
    "max_prompts": MAX_ELEMENTS,
    "max_faces": 100,
    "edge_radius": MAX_RADIUS,
    "edge_size": MAX_RADIUS,
    "edge_blur": MAX_RADIUS,
    "mask_blur": MAX_RADIUS,
    "radius": 4 * MAX_RADIUS,
    "radius_h": MAX_RADIUS,
    "radius_w": MAX_RADIUS,
    "padding": MAX_SIDE,
}
_MEANT_OTHERWISE = {("float_range", "steps")}
_MIN_TILE = 16  # smaller ones cut a picture into millions of tiles


def _named_fields(node_type: str, values: Values) -> str | None:
    for field in values.keys() & _EVERYWHERE.keys():
        if (node_type, field) not in _MEANT_OTHERWISE:
            found = _at_most(values, field, _EVERYWHERE[field])
            if found:
                return found
    if 0 < _number(values, "tile_size") < _MIN_TILE:
        return f"tile_size must be at least {_MIN_TILE}."
    width, height = _number(values, "width"), _number(values, "height")
    if found := _too_many(width, height):
        return found
    if _number(values, "num_frames") * width * height > _MAX_FRAME_PIXELS:
        return f"num_frames x width x height may be {_MAX_FRAME_PIXELS:,} pixels in all."
    return None


def _list_of(count: float) -> str | None:
    return (
        f"A list of {count:,.0f} elements is too long; {MAX_ELEMENTS:,} are possible."
        if count > MAX_ELEMENTS
        else None
    )


def _integer_math(values: Values, _: SizeOf) -> str | None:
    if values.get("operation") != "EXP":
        return None
    base, exponent = abs(_number(values, "a", 1)), _number(values, "b", 1)
    too_large = base > 1 and exponent * math.log2(base) > 63
    return "The power is too large; it must fit 64 bits." if too_large else None


def _range(values: Values, _: SizeOf) -> str | None:
    step = abs(_number(values, "step", 1))
    span = abs(_number(values, "stop", 10) - _number(values, "start"))
    return _list_of(math.ceil(span / step)) if step else None


def _sized_list(field: str) -> _Rule:
    return lambda values, _: _list_of(_number(values, field))


def _string_replace(values: Values, _: SizeOf) -> str | None:
    if values.get("use_regex"):
        return "Regular expressions are not offered: one of a few characters can take a worker for days."
    text, search = str(values.get("string") or ""), str(values.get("search_string") or "")
    replacement = str(values.get("replace_string") or "")
    if not search:
        return None
    # A replacement may refer to what was found: \g<0>.
    longest = len(replacement) + replacement.count("\\g") * len(search)
    if max(len(text) * len(search), len(text) // len(search) * longest) > _MAX_REPLACING:
        return "The texts are too long to search and replace."
    return None


_MAX_PROMPT_COST = 10_000  # some seconds of the parser


def _prompt(values: Values, _: SizeOf) -> str | None:
    """The parser of weighted prompts takes about five times as long with each parenthesis around what it reads."""
    for field in ("prompt", "style"):
        text = values.get(field)
        depth = cost = 0
        for mark in re.findall(r"\\.|\w+|[^\w\s]", text, re.DOTALL) if isinstance(text, str) else ():
            depth = max(0, depth + (mark == "(") - (mark == ")"))
            cost += 5 ** min(depth, 10) if depth else 0
            if cost > _MAX_PROMPT_COST:
                return f"{field} has too many parentheses, or too many within each other."
    return None


def _krea2_style(values: Values, size_of: SizeOf) -> str | None:
    if re.search(r"[\d_]{4}", str(values.get("blocks") or "")):
        return "blocks names blocks that no model has."  # they would be listed first: 0-999999999999
    width, height = size_of(values.get("image")) or (1, 1)
    # The picture is scaled to cover these, and cropped afterwards.
    times = max(_number(values, "width", 1024) / width, _number(values, "height", 1024) / height)
    return _too_many(width * times, height * times)


_KONTEXT_HEIGHT = 1_568  # the largest that FLUX prefers


def _kontext(values: Values, size_of: SizeOf) -> str | None:
    """Pictures side by side, all as high as the first."""
    images = values.get("images")
    sizes = [size_of(image) or (1, 1) for image in images] if isinstance(images, list) else []
    preferred = values.get("use_preferred_resolution", True)
    high = _KONTEXT_HEIGHT if preferred or not sizes else sizes[0][1]
    return _too_many(sum(high * width / height for width, height in sizes), high)


def _joined_videos(values: Values, _: SizeOf) -> str | None:
    videos = values.get("videos")
    count = len(videos) if isinstance(videos, list) else 0
    return f"{count:,} videos are too many; {_MAX_VIDEOS} are possible." if count > _MAX_VIDEOS else None


def _longer_than(values: Values, field: str, limit: int) -> str | None:
    too_long = len(str(values.get(field) or "")) > limit
    return f"{field} may have {limit} characters." if too_long else None


def _bounding_box(values: Values, _: SizeOf) -> str | None:
    box = values.get("bounding_box")
    sides = [_part(box, name) for name in ("x_min", "y_min", "x_max", "y_max")]
    if not all(isinstance(side, int) for side in sides):
        return None
    left, top, right, bottom = sides
    return _too_many(right - left, bottom - top)


def _grid(across: float, down: float) -> str | None:
    return _list_of(max(across, 1) * max(down, 1))


def _even_tiles(values: Values, _: SizeOf) -> str | None:
    return _grid(_number(values, "num_tiles_x", 2), _number(values, "num_tiles_y", 2))


def _tiles(overlap_field: str) -> _Rule:
    def rule(values: Values, _: SizeOf) -> str | None:
        overlap = _number(values, overlap_field, 128)
        counts = []
        for side in ("width", "height"):
            whole, tile = _number(values, f"image_{side}", 1024), _number(values, f"tile_{side}", 576)
            tile = min(tile, whole) - overlap
            counts.append(math.ceil((whole - overlap) / tile) if tile > 0 else 1)
        return _grid(*counts)

    return rule


def _merged_tiles(values: Values, _: SizeOf) -> str | None:
    tiles = values.get("tiles_with_images")
    corners = [_part(_part(tile, "tile"), "coords") for tile in tiles] if isinstance(tiles, list) else []
    right = [side for c in corners if isinstance(side := _part(c, "right"), int)]
    bottom = [side for c in corners if isinstance(side := _part(c, "bottom"), int)]
    return _too_many(max(right, default=0), max(bottom, default=0))


def _scaled(image_field: str, factor: Callable[[Values], float]) -> _Rule:
    def rule(values: Values, size_of: SizeOf) -> str | None:
        times = factor(values)
        width, height = size_of(values.get(image_field)) or (1, 1)
        return _too_many(width * times, height * times) if times > 1 else None

    return rule


def _upscaled(values: Values, size_of: SizeOf) -> str | None:
    width, height = size_of(values.get("image")) or (1, 1)
    if width * height > _MAX_UPSCALED:
        return f"{width:,} x {height:,} pixels are too many to upscale; {_MAX_UPSCALED:,} are possible."
    times = _number(values, "scale", 1)
    return _too_many(width * times, height * times)


def _padded(values: Values, size_of: SizeOf) -> str | None:
    width, height = size_of(values.get("image")) or (1, 1)
    left, right, top, bottom = (_number(values, side) for side in ("left", "right", "top", "bottom"))
    return _too_many(width + left + right, height + top + bottom)


def _pasted(values: Values, size_of: SizeOf) -> str | None:
    base, image = size_of(values.get("base_image")) or (1, 1), size_of(values.get("image")) or (1, 1)
    sides = []
    for axis, field in enumerate(("x", "y")):
        at = _number(values, field)
        sides.append(max(base[axis], image[axis] + at) - min(0, at))
    return _too_many(*sides)


def _dilated(values: Values, size_of: SizeOf) -> str | None:
    width, height = size_of(values.get("image")) or (1, 1)
    kernel = (2 * _number(values, "radius_w", 4) + 1) * (2 * _number(values, "radius_h", 4) + 1)
    too_much = width * height * kernel > _MAX_MORPHOLOGY
    return "radius_w and radius_h are too large for this picture." if too_much else None


def _limited(**limits: float) -> _Rule:
    return lambda values, _: next(
        (p for f, limit in limits.items() if (p := _at_most(values, f, limit))), None
    )


def _inverse_of_downscale(values: Values) -> float:
    downscale = _number(values, "downscale", 2)
    return 1 / downscale if downscale > 0 else 1


_RULES: Mapping[str, _Rule] = {
    "calculate_image_tiles": _tiles("overlap"),
    "calculate_image_tiles_even_split": _even_tiles,
    "calculate_image_tiles_min_overlap": _tiles("min_overlap"),
    "compel": _prompt,
    "content_shuffle": _limited(scale_factor=MAX_RADIUS),
    "crop_image_to_bounding_box": _bounding_box,
    "decode_watermark": _limited(length=MAX_ELEMENTS),
    "flux_kontext_image_prep": _kontext,
    "float_range": _sized_list("steps"),
    "img_pad_crop": _padded,
    "img_paste": _pasted,
    "img_scale": _scaled("image", lambda values: _number(values, "scale_factor", 2)),
    "infill_patchmatch": _scaled("image", _inverse_of_downscale),
    "integer_math": _integer_math,
    "invokeai_img_dilate_erode": _dilated,
    "invokeai_img_composite": lambda values, _: _longer_than(values, "chroma_key", 64),
    "krea2_style_reference": _krea2_style,
    "lscale": _scaled("latents", lambda values: _number(values, "scale_factor", 1)),
    "merge_tiles_to_image": _merged_tiles,
    "random_range": _sized_list("size"),
    "range": _range,
    "range_of_size": _sized_list("size"),
    "sdxl_compel_prompt": _prompt,
    "sdxl_refiner_compel_prompt": _prompt,
    "spandrel_image_to_image": _upscaled,
    "spandrel_image_to_image_autoscale": _upscaled,
    "string_replace": _string_replace,
    "video_concat": _joined_videos,
}
