"""The rules for nodes' values: what would hang or kill a worker is refused, and what people do is not."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import BaseModel

from invokeai_saas.worker.noderules import (
    MAX_ELEMENTS,
    MAX_TEXT,
    MAX_WEIGHT,
    TooMuch,
    picture_problem,
    problem,
    weigh,
)

BOX = {"x_min": 0, "y_min": 0, "x_max": 10**6, "y_max": 10**6}
TILE = {
    "tile": {"coords": {"top": 0, "left": 0, "bottom": 512, "right": 10**9}},
    "image": {"image_name": "a"},
}
HARMFUL: list[tuple[str, dict[str, Any]]] = [
    ("string_replace", {"string": "a" * 40 + "b", "search_string": "(a+)+$", "use_regex": True}),
    ("string_replace", {"string": "a" * 20_000, "search_string": "a" * 10_000 + "b"}),
    ("string_replace", {"string": "a" * 20_000, "search_string": "a", "replace_string": "b" * 20_000}),
    (
        "string_replace",
        {"string": "a" * 20_000, "search_string": "a" * 99, "replace_string": "\\g<0>" * 4_000},
    ),
    ("integer_math", {"operation": "EXP", "a": 7, "b": 10**8}),
    ("integer_math", {"operation": "EXP", "a": -2, "b": 64}),
    ("mul", {"a": 2**64, "b": 2}),
    ("range", {"start": 0, "stop": 10**10}),
    ("range", {"start": 10**6, "stop": 0, "step": -1}),
    ("range_of_size", {"size": 10**10}),
    ("random_range", {"size": 10**10}),
    ("float_range", {"steps": 10**10}),
    ("dynamic_prompt", {"max_prompts": 10**9}),
    ("blank_image", {"width": 10**6}),
    ("noise", {"width": 16_384, "height": 16_384}),
    ("rectangle_mask", {"width": 10**6, "height": 10**6}),
    ("img_crop", {"width": 64, "height": 10**9}),
    ("lresize", {"width": 10**6, "height": 64}),
    ("img_scale", {"scale_factor": 1e9}),
    ("img_scale", {"scale_factor": float("inf")}),
    ("lscale", {"scale_factor": 1e6}),
    ("infill_patchmatch", {"downscale": 1e-9}),
    ("img_pad_crop", {"left": 10**6}),
    ("img_paste", {"x": -(10**6)}),
    ("crop_image_to_bounding_box", {"bounding_box": BOX}),
    ("merge_tiles_to_image", {"tiles_with_images": [TILE]}),
    (
        "calculate_image_tiles",
        {"image_width": 10**6, "image_height": 10**6, "tile_width": 8, "tile_height": 8, "overlap": 0},
    ),
    ("calculate_image_tiles_min_overlap", {"image_width": 10**5, "image_height": 10**5, "min_overlap": 575}),
    ("calculate_image_tiles_even_split", {"num_tiles_x": 1_000, "num_tiles_y": 1_000}),
    ("spandrel_image_to_image", {"tile_size": 1}),
    ("content_shuffle", {"scale_factor": 10**6}),
    ("create_gradient_mask", {"edge_radius": 10**5}),
    ("mask_edge", {"edge_size": 10**9}),
    ("canvas_paste_back", {"mask_blur": 10**5}),
    ("img_blur", {"radius": 1e30}),
    ("invokeai_img_dilate_erode", {"radius_w": 10**5}),
    ("decode_watermark", {"length": 10**9}),
    ("denoise_latents", {"steps": 10**10}),
    ("flux_denoise", {"num_steps": 10**10}),
    ("wan_ref_image_encoder", {"width": 8_192, "height": 8_192, "num_frames": 1_000}),
    ("krea2_style_reference", {"blocks": "0-999999999999"}),
    ("invokeai_img_composite", {"chroma_key": "(" * 1_000}),
    ("compel", {"prompt": "(" * 20}),
    ("compel", {"prompt": "((((" + "a b " * 100 + "))))"}),
    ("sdxl_compel_prompt", {"prompt": "a", "style": "(" * 20}),
    ("collect", {"collection": [1] * (MAX_ELEMENTS + 1)}),
    ("string_join", {"string_left": "a" * (MAX_TEXT + 1)}),
]
HARMLESS: list[tuple[str, dict[str, Any]]] = [
    ("string_replace", {"string": "a {x} b" * 100, "search_string": "{x}", "replace_string": "cat" * 50}),
    ("integer_math", {"operation": "EXP", "a": 2, "b": 62}),
    ("integer_math", {"operation": "EXP", "a": 1, "b": 10**9}),
    ("integer_math", {"operation": "ADD", "a": 2**40, "b": 2**40}),
    ("mul", {"a": 2**62, "b": 2**62}),
    ("range", {}),
    ("range", {"start": 0, "stop": 10**10, "step": 10**9}),
    ("range", {"start": 0, "stop": 10, "step": 0}),
    ("range_of_size", {"size": 500}),
    ("float_range", {"steps": 5_000}),
    ("blank_image", {"width": 8_192, "height": 8_192}),
    ("noise", {"width": 1_024, "height": 1_024, "seed": 4_294_967_295}),
    ("img_pad_crop", {"left": -300, "right": 300}),
    ("crop_image_to_bounding_box", {"bounding_box": None}),
    ("calculate_image_tiles", {}),
    ("img_blur", {"radius": 64.0}),
    ("denoise_latents", {"steps": 100, "cfg_scale": [7.5] * 100}),
    ("wan_video_denoise", {"width": 1_280, "height": 720, "num_frames": 81}),
    ("krea2_style_reference", {"blocks": "7-27,3"}),
    (
        "compel",
        {"prompt": "a ((masterpiece)) of (a cat, best quality)1.2, (detailed)+++, \\(literal\\)" * 20},
    ),
    ("compel", {"prompt": "word " * 4_000}),
    ("add", {"a": "two"}),
    ("no_such_node", {"anything": [1, 2, {"three": None}]}),
]


@pytest.mark.parametrize(("node_type", "values"), HARMFUL, ids=lambda v: v if isinstance(v, str) else "")
def test_what_would_hang_or_kill_a_worker_is_refused_at_once(node_type: str, values: dict[str, Any]) -> None:
    started = time.process_time()
    found = problem(node_type, {"id": "n", "type": node_type, **values})
    assert found
    assert len(found) < 200
    assert time.process_time() - started < 1


@pytest.mark.parametrize(("node_type", "values"), HARMLESS, ids=lambda v: v if isinstance(v, str) else "")
def test_what_people_do_is_not(node_type: str, values: dict[str, Any]) -> None:
    assert problem(node_type, {"id": "n", "type": node_type, **values}) is None


SIZES = {"small": (64, 64), "strip": (8_000, 80), "medium": (2_048, 2_048), "large": (8_000, 8_000)}


@pytest.mark.parametrize(
    ("node_type", "too_large", "values"),
    [
        ("img_scale", {"image": "large"}, {"scale_factor": 4}),
        ("lscale", {"latents": "large"}, {"scale_factor": 4}),
        ("img_pad_crop", {"image": "large"}, {"bottom": 1_000}),
        ("img_paste", {"base_image": "large", "image": "small"}, {"x": 9_000}),
        ("img_paste", {"base_image": "large", "image": "small"}, {"y": -1_000}),
        ("infill_patchmatch", {"image": "large"}, {"downscale": 0.25}),
        ("spandrel_image_to_image", {"image": "large"}, {}),
        ("spandrel_image_to_image_autoscale", {"image": "medium"}, {"scale": 16}),
        ("krea2_style_reference", {"image": "strip"}, {"width": 4_096, "height": 4_096}),
        ("invokeai_img_dilate_erode", {"image": "large"}, {"radius_w": 64, "radius_h": 64}),
    ],
)
def test_some_rules_need_the_size_of_the_picture(
    node_type: str, too_large: dict[str, str], values: dict[str, Any]
) -> None:
    assert problem(node_type, {**too_large, **values}) is None
    assert problem(node_type, {**too_large, **values}, SIZES.get)
    assert problem(node_type, {**dict.fromkeys(too_large, "small"), **values}, SIZES.get) is None


def test_pictures_side_by_side_are_as_high_as_the_first() -> None:
    size_of = SIZES.get
    assert problem("flux_kontext_image_prep", {"images": ["small", "medium"]}, size_of) is None
    assert problem("flux_kontext_image_prep", {"images": ["small", "strip"]}, size_of)
    own = {"use_preferred_resolution": False}
    assert problem("flux_kontext_image_prep", {"images": ["small", "strip"], **own}, size_of) is None
    assert problem("flux_kontext_image_prep", {"images": ["large", "strip"], **own}, size_of)


@pytest.mark.parametrize(
    ("size", "possible"),
    [
        ((8_192, 8_192), True),
        ((16_384, 4_096), True),
        ((16_385, 4_000), False),
        ((8_192, 8_193), False),
        ((8_192, 64), False),
        ((64, 8_192), False),
    ],
)
def test_pictures_have_a_largest_size_and_shape(size: tuple[int, int], possible: bool) -> None:
    assert (picture_problem(*size) is None) == possible


def test_what_is_shared_weighs_as_often_as_it_appears() -> None:
    doubled: Any = "prompt"
    for _ in range(60):
        doubled = [doubled, doubled]
    started = time.process_time()
    with pytest.raises(TooMuch, match="all together"):
        weigh(doubled)
    assert time.process_time() - started < 10


def test_depth_is_bounded_and_loops_end() -> None:
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(TooMuch, match="deep"):
        weigh(deep)
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(TooMuch, match="deep"):
        weigh(loop)


def test_objects_weigh_what_is_in_them() -> None:
    class Field(BaseModel):
        name: str
        values: list[int]

    assert weigh(Field(name="abc", values=[1, 2])) >= 5
    with pytest.raises(TooMuch, match="too long"):
        weigh({"a": Field(name="a" * (MAX_TEXT + 1), values=[])})
    with pytest.raises(TooMuch):
        weigh([Field(name="a" * MAX_TEXT, values=[])] * (MAX_WEIGHT // MAX_TEXT + 1))
