"""What can be drawn: things, their names, their pictures in several styles, and how often each is chosen."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Literal

from training import vocabulary as words

Style = Literal["3d", "cartoon", "flat", "silhouette"]

DEFAULT_WEIGHT: Final = 0.5  # groups that GROUP_WEIGHT leaves out
KNOWN_WEIGHT: Final = 1.7  # things that people often ask for: those with hand-written names
_PLACED_GROUPS: Final = frozenset(
    (words.FACES, words.ANIMALS, words.FOOD, words.PLACES, words.ACTIVITIES, words.OBJECTS)
)
_ONE_WAY_ROUND = re.compile(r"left|right|clock|letter|button|number|keycap|input")


@dataclass(frozen=True)
class Thing:
    """What a picture shows.

    Attributes:
        label: Its main name, lower case.
        names: Other names that mean the same.
        tags: Words that have to do with it.
        group: Emoji group (`vocabulary.FACES` ...), or None.
        extra: The hand-written names among `names`.
    """

    label: str
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    group: int | None = None
    extra: tuple[str, ...] = ()

    @property
    def mirrors(self) -> bool:
        """Whether its mirror image is as good a picture of it."""
        return self.group in _PLACED_GROUPS | {words.PEOPLE} and not _ONE_WAY_ROUND.search(self.label)


@dataclass(frozen=True)
class Picture:
    """One picture of a thing.

    Attributes:
        style: What it is drawn as.
        thing: Key of the `Thing`.
        source: WebP bytes or SVG text; None once it is rendered.
        recolour: The colour it was shifted to, where it is a recoloured copy.
    """

    style: Style
    thing: str
    source: bytes | str | None = None
    recolour: str | None = None


@dataclass(frozen=True)
class Weighted:
    """Picture numbers with the running sum of their weights, as `random.choices` wants them."""

    pictures: tuple[int, ...] = ()
    cumulated: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pictures)

    def pick(self, rng: random.Random) -> int:
        """One picture number, by weight."""
        return rng.choices(self.pictures, cum_weights=self.cumulated)[0]


@dataclass(frozen=True)
class Catalogue:
    """Pictures and the things they show, ready to be drawn from.

    Attributes:
        pictures: All pictures; their position is their number.
        things: The things by key.
        by_style: Original pictures of each style.
        placed: Pictures fit to stand in a drawn scene, by style.
        paired: Pictures fit to stand beside another, by style.
        recoloured: Recoloured copies.
    """

    pictures: Sequence[Picture]
    things: dict[str, Thing]
    by_style: dict[Style, Weighted] = field(default_factory=dict)
    placed: dict[Style, Weighted] = field(default_factory=dict)
    paired: dict[Style, Weighted] = field(default_factory=dict)
    recoloured: Weighted = Weighted()

    def thing(self, picture: int) -> Thing:
        """What picture number `picture` shows."""
        return self.things[self.pictures[picture].thing]


def build(pictures: Sequence[Picture], things: dict[str, Thing]) -> Catalogue:
    """A catalogue with its tables of weights."""

    def weight(number: int) -> float:
        thing = things[pictures[number].thing]
        group = words.GROUP_WEIGHT.get(-1 if thing.group is None else thing.group, DEFAULT_WEIGHT)
        return group * (KNOWN_WEIGHT if thing.extra else 1.0)

    def scaled(table: dict[int, float]) -> Callable[[int], float]:
        return lambda number: weight(number) * table.get(things[pictures[number].thing].group or 0, 1.0)

    by_style: dict[Style, Weighted] = {}
    placed: dict[Style, Weighted] = {}
    paired: dict[Style, Weighted] = {}
    styles: tuple[Style, ...] = ("3d", "cartoon", "flat", "silhouette")
    for style in styles:
        numbers = [i for i, p in enumerate(pictures) if p.style == style and p.recolour is None]
        by_style[style] = _weighted(numbers, weight)
        if style in ("3d", "cartoon"):
            fit = [i for i in numbers if _stands_alone(things[pictures[i].thing])]
            placed[style] = _weighted(fit, scaled(words.SCENE_WEIGHT))
            paired[style] = _weighted(fit, scaled(words.PAIR_WEIGHT))
    recoloured = [i for i, p in enumerate(pictures) if p.recolour is not None]
    return Catalogue(pictures, things, by_style, placed, paired, _weighted(recoloured, lambda _: 1.0))


def _weighted(numbers: Sequence[int], weight: Callable[[int], float]) -> Weighted:
    return Weighted(tuple(numbers), tuple(accumulate(map(weight, numbers))))


def _stands_alone(thing: Thing) -> bool:
    """Not symbols and flags; nor people with long names, who are near-equal variants of each other."""
    return thing.group in _PLACED_GROUPS or (thing.group == words.PEOPLE and len(thing.label) < 14)
