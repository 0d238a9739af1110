"""The measure of a red heart, held to pictures drawn here whose answer is known."""

from __future__ import annotations

import math

import pytest
from PIL import Image, ImageDraw, ImageFilter

from tests.models_starter import shapes

RED, BLUE, GREEN = (226, 38, 60), (38, 98, 217), (120, 190, 60)
Colour = tuple[int, int, int]


def canvas(ground: Colour = (255, 255, 255)) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (256, 256), ground)
    return image, ImageDraw.Draw(image)


def heart(colour: Colour, *, ground: Colour = (255, 255, 255), outline: bool = False) -> Image.Image:
    """The heart curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t."""
    image, pen = canvas(ground)
    points = []
    for degrees in range(360):
        t = math.radians(degrees)
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((128 + 6 * x, 120 - 6 * y))
    if outline:
        pen.line([*points, points[0]], fill=colour, width=9)
    else:
        pen.polygon(points, fill=colour)
    return image


def apple(colour: Colour) -> Image.Image:
    """Two lobes on top like a heart's, but round and dimpled below."""
    image, pen = canvas()
    pen.ellipse((40, 70, 150, 220), fill=colour)
    pen.ellipse((106, 70, 216, 220), fill=colour)
    return image


def drawn(shape: str, colour: Colour) -> Image.Image:
    image, pen = canvas()
    if shape == "circle":
        pen.ellipse((48, 48, 208, 208), fill=colour)
    elif shape == "square":
        pen.rectangle((48, 48, 208, 208), fill=colour)
    elif shape == "triangle":  # a point at the bottom, but no lobes
        pen.polygon(((40, 60), (216, 60), (128, 220)), fill=colour)
    elif shape == "upright triangle":
        pen.polygon(((40, 220), (216, 220), (128, 60)), fill=colour)
    elif shape == "letter":  # lobes and a point, but hollow
        pen.line(((50, 60), (90, 210), (128, 100), (166, 210), (206, 60)), fill=colour, width=12)
    elif shape == "spade":
        return heart(colour).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image


def test_a_red_heart_is_one() -> None:
    assert shapes.is_red_heart(heart(RED))


def test_blur_noise_and_a_tinted_ground_do_not_matter() -> None:
    picture = heart(RED, ground=(238, 244, 250)).filter(ImageFilter.GaussianBlur(3))
    noise = Image.effect_noise((256, 256), 20).convert("RGB")
    assert shapes.is_red_heart(Image.blend(picture, noise, 0.1))


@pytest.mark.parametrize("colour", [BLUE, GREEN, (252, 212, 46), (125, 60, 190), (247, 137, 28)])
def test_a_heart_of_another_colour_fails_by_hue_alone(colour: Colour) -> None:
    picture = heart(colour)
    assert shapes.is_heart(picture)
    assert not shapes.is_red(shapes.dominant_hue(picture))
    assert not shapes.is_red_heart(picture)


@pytest.mark.parametrize("shape", ["circle", "square", "triangle", "upright triangle", "letter", "spade"])
def test_other_red_shapes_fail_by_shape_alone(shape: str) -> None:
    picture = drawn(shape, RED)
    assert shapes.is_red(shapes.dominant_hue(picture))
    assert not shapes.is_heart(picture)


def test_an_outline_and_half_a_heart_are_no_hearts() -> None:
    assert not shapes.is_heart(heart(RED, outline=True))
    half = heart(RED)
    half.paste((255, 255, 255), (128, 0, 256, 256))
    assert not shapes.is_heart(half)


def test_a_green_apple_fails_both_ways() -> None:
    picture = apple(GREEN)
    assert not shapes.is_heart(picture)
    assert not shapes.is_red(shapes.dominant_hue(picture))


def test_a_heart_of_all_colours_is_not_red() -> None:
    """As samplers that diverge draw it."""
    hues = Image.linear_gradient("L").resize((256, 256))
    full = Image.new("L", (256, 256), 255)
    rainbow = Image.merge("HSV", (hues, full, full)).convert("RGB")
    picture = heart(RED)
    picture.paste(rainbow, mask=shapes.subject_mask(picture))
    assert shapes.is_heart(picture)
    assert shapes.dominant_hue(picture) is None
    assert not shapes.is_red_heart(picture)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_has_neither_hue_nor_shape(level: int) -> None:
    blank = Image.new("RGB", (256, 256), (level, level, level))
    assert shapes.dominant_hue(blank) is None
    assert shapes.heart_score(shapes.subject_mask(blank)) == shapes.NO_HEART


def test_a_speck_is_no_subject() -> None:
    small = heart(RED).resize((24, 24))
    image, _ = canvas()
    image.paste(small, (100, 100))
    assert not shapes.is_heart(image)


def test_reds_on_both_sides_of_zero_average_to_red() -> None:
    picture = heart((230, 20, 60))
    upper = heart((240, 45, 20)).crop((0, 0, 256, 110))
    picture.paste(upper, (0, 0))
    assert shapes.is_red(shapes.dominant_hue(picture))
