"""Recolouring and drawn scenes. They need NumPy, which the engine's environment has: skipped elsewhere."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("numpy")

import numpy as np
from PIL import Image, ImageDraw
from training import scenes, textures, vocabulary
from training.catalogue import Picture, Thing


def disc(*colours: tuple[int, int, int]) -> textures.Bytes:
    image = Image.new("RGBA", (256, 256), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    for number, colour in enumerate(colours):
        share = 360 / len(colours)
        pen.pieslice((20, 20, 236, 236), number * share, (number + 1) * share, fill=(*colour, 255))
    return np.asarray(image)


def test_the_main_hue_of_one_colour() -> None:
    assert textures.hue_distance(textures.main_hue(disc((226, 38, 45))) or 180, 358) < 6
    assert textures.main_hue(disc((200, 30, 30), (30, 200, 30), (30, 30, 200))) is None
    assert textures.main_hue(disc((128, 128, 128))) is None


def test_recolouring_turns_the_hue_and_keeps_the_outline() -> None:
    red = disc((226, 38, 45))
    blue = textures.recolour(red, 218)
    assert textures.hue_distance(textures.main_hue(blue) or 0, 216) < 6
    assert (blue[..., 3] == red[..., 3]).all()


def test_recolours_are_far_from_the_first_colour_and_never_of_coloured_names() -> None:
    cup = Thing("cup", group=vocabulary.FOOD)
    copies = textures.recolours_of(disc((226, 38, 45)), cup, 3, random.Random(0))
    assert len(copies) == 3
    assert not {"red", "orange"} & {name for name, _ in copies}
    named = Thing("red cup", group=vocabulary.FOOD)
    assert textures.recolours_of(disc((226, 38, 45)), named, 3, random.Random(0)) == []


def test_premultiplied_colours_vanish_where_nothing_is() -> None:
    rgba = disc((200, 100, 50))
    planes = textures.premultiplied(rgba)
    assert planes.shape == (4, 256, 256)
    assert (planes[:3, rgba[..., 3] == 0] == 0).all()
    assert tuple(planes[:, 128, 128]) == (200, 100, 50, 255)


def test_a_picture_without_a_source_is_refused() -> None:
    with pytest.raises(ValueError, match="no source"):
        textures.render(Picture("3d", "2764"))


@pytest.mark.parametrize("scene", vocabulary.SCENE_NAMES)
def test_every_scene_is_drawn_and_varies(scene: str) -> None:
    one, other = scenes.paint(scene, 0), scenes.paint(scene, 1)
    assert one.shape == (3, 256, 256)
    assert one.dtype == np.uint8
    assert (one == scenes.paint(scene, 0)).all()
    assert (one != other).any()
    assert one.std() > 5
