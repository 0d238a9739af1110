"""Captions and compositions: the pure half of making training data."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from training import catalogue, vocabulary
from training.captions import Captioner, plural, with_article
from training.catalogue import Catalogue, Picture, Thing
from training.compositions import Composer, Composition

THINGS = {
    "heart": Thing("red heart", ("love heart",), ("love",), vocabulary.SYMBOLS, ("love heart",)),
    "dog": Thing(
        "dog face", ("puppy", "dog"), ("animal", "pet", "cute", "happy"), vocabulary.ANIMALS, ("puppy",)
    ),
    "cup": Thing("cup", ("mug",), ("drink",), vocabulary.FOOD),
    "flag": Thing("flag of france", ("france flag",), (), vocabulary.FLAGS),
    "sword": Thing("broadsword", group=vocabulary.SILHOUETTES),
}
PICTURES = [
    Picture("3d", "heart"),
    Picture("3d", "dog"),
    Picture("cartoon", "dog"),
    Picture("flat", "cup"),
    Picture("3d", "flag"),
    Picture("silhouette", "sword"),
    Picture("3d", "cup", recolour="teal"),
]
MANY = 6_000


@pytest.fixture(scope="module")
def known() -> Catalogue:
    return catalogue.build(PICTURES, THINGS)


@pytest.fixture(scope="module")
def captioned(known: Catalogue) -> list[tuple[Composition, str]]:
    rng = random.Random(3)
    composer, captioner = Composer(known, rng), Captioner(known, rng)
    drawn = [composer.draw() for _ in range(MANY)]
    return [(composition, captioner.caption(composition)) for composition in drawn]


def test_every_silhouette_names_its_style(captioned: list[tuple[Composition, str]]) -> None:
    """Left out, unknown words fell to black silhouettes."""
    texts = [text for composition, text in captioned if composition.style == "silhouette"]
    assert len(texts) > 300
    assert all(any(word in text for word in vocabulary.STYLE_WORDS["silhouette"]) for text in texts)


def test_most_3d_captions_name_no_style(captioned: list[tuple[Composition, str]]) -> None:
    texts = [text for composition, text in captioned if composition.style == "3d"]
    assert sum("3d" in text or "render" in text for text in texts) < 0.35 * len(texts)


def test_the_same_seed_writes_the_same(known: Catalogue) -> None:
    def run(seed: int) -> list[str]:
        rng = random.Random(seed)
        composer, captioner = Composer(known, rng), Captioner(known, rng)
        return [captioner.caption(composer.draw()) for _ in range(50)]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_captions_say_what_is_drawn(captioned: list[tuple[Composition, str]], known: Catalogue) -> None:
    for composition, text in captioned:
        if composition.kind == "ground":
            assert composition.ground is not None
            assert composition.ground in text
        elif composition.kind == "scene":
            assert composition.scene is not None
            places = vocabulary.SCENES[vocabulary.SCENE_NAMES[composition.scene]]
            assert any(place in text for place in places)
        elif composition.kind == "recolour":
            assert "teal" in text
        elif composition.kind == "count":
            numbers = vocabulary.COUNT_WORDS[len(composition.layers)]
            assert any(word.removeprefix("a ") in text for word in numbers)  # "a cute pair of"
        elif composition.blur:
            assert re.search("blurry|quality|pixelated", text)
        assert text == text.strip()
        assert "  " not in text


def test_kinds_come_in_their_shares(captioned: list[tuple[Composition, str]]) -> None:
    kinds = Counter(composition.kind for composition, _ in captioned)
    assert kinds["one"] / MANY == pytest.approx(0.57, abs=0.03)
    assert kinds["count"] / MANY == pytest.approx(0.04, abs=0.015)


def test_without_silhouettes_and_recolours_none_are_drawn() -> None:
    known = catalogue.build(PICTURES[:5], {key: THINGS[key] for key in ("heart", "dog", "cup", "flag")})
    rng = random.Random(0)
    composer, captioner = Composer(known, rng), Captioner(known, rng)
    drawn = [composer.draw() for _ in range(500)]
    assert {composition.kind for composition in drawn} == {"one", "ground", "scene", "pair", "count"}
    assert not any("silhouette" in captioner.caption(composition) for composition in drawn)


def test_flags_and_symbols_stand_in_no_scene(
    captioned: list[tuple[Composition, str]], known: Catalogue
) -> None:
    placed = {
        known.thing(c.layers[0].picture).label for c, _ in captioned if c.kind in ("scene", "pair", "count")
    }
    assert placed == {"dog face"}


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("cat", "cats"),
        ("puppy", "puppies"),
        ("toy", "toys"),
        ("bus", "buses"),
        ("knife", "knives"),
        ("mouse", "mice"),
    ],
)
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many


def test_articles() -> None:
    rng = random.Random(0)
    assert {with_article("apple", rng) for _ in range(200)} == {"apple", "an apple", "the apple"}
    assert {with_article("scissors", rng) for _ in range(50)} == {"scissors"}
    assert {with_article("flag of france", rng) for _ in range(50)} == {"flag of france"}
