"""Which pictures stand where on which ground: the layouts that training pictures are drawn from.

The shares below were set by hand: most pictures show one thing in the default style, and each further skill
(backgrounds, scenes, colours, pairs, counts) gets as many as it took to be learnt.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal

from training import vocabulary as words
from training.catalogue import Catalogue, Style

Kind = Literal["one", "silhouette", "ground", "scene", "recolour", "pair", "count"]

#: Kind and share of all compositions. `silhouette` is left out where that set was not built.
SHARES: Final[dict[Kind, float]] = {
    "one": 0.57,
    "silhouette": 0.09,
    "ground": 0.09,
    "scene": 0.09,
    "recolour": 0.07,
    "pair": 0.05,
    "count": 0.04,
}
_ONE_STYLES: Final[dict[Style, float]] = {"3d": 0.40, "cartoon": 0.10, "flat": 0.07}
_WHITE: Final = (255, 255, 255)
_BLUR_SHARE: Final = 0.03  # of single things: they teach what "blurry" in a negative prompt means

#: Centres (x, y) and scale of two, three and four equal things, in picture widths from the middle.
_COUNT_PLACES: Final[dict[int, tuple[tuple[float, float, float], ...]]] = {
    2: ((-0.25, 0, 0.48), (0.25, 0, 0.48)),
    3: ((-0.25, 0.2, 0.45), (0.25, 0.2, 0.45), (0, -0.24, 0.45)),
    4: ((-0.24, -0.24, 0.45), (0.24, -0.24, 0.45), (-0.24, 0.24, 0.45), (0.24, 0.24, 0.45)),
}
_THREE_IN_A_ROW: Final = ((-0.33, 0.0, 0.32), (0.0, 0.0, 0.32), (0.33, 0.0, 0.32))


@dataclass(frozen=True)
class Layer:
    """One picture on the canvas: its number, centre (canvas widths from the middle), scale and mirroring."""

    picture: int
    x: float
    y: float
    scale: float
    mirrored: bool


@dataclass(frozen=True)
class Composition:
    """One training picture, described.

    Attributes:
        kind: What it teaches.
        style: The style of its layers.
        layers: At most four, drawn in order.
        ground: Name of a plain background colour; None is white.
        scene: Number of a drawn background (`vocabulary.SCENE_NAMES`) instead.
        ink: Colour name of a silhouette.
        blur: 0 sharp, 1 and 2 blurred by 8 and 12 pixels.
    """

    kind: Kind
    style: Style
    layers: tuple[Layer, ...]
    ground: str | None = None
    scene: int | None = None
    ink: str | None = None
    blur: int = 0

    @property
    def ground_rgb(self) -> words.Rgb:
        """The plain background's colour."""
        return words.COLOURS.get(self.ground or "", _WHITE)


class Composer:
    """Draws compositions from a catalogue, reproducibly from its generator."""

    def __init__(self, catalogue: Catalogue, rng: random.Random) -> None:
        """`rng` is used up in order: the same seed gives the same compositions."""
        self._catalogue = catalogue
        self._rng = rng
        kinds: list[Kind] = ["one", "ground", "scene", "pair", "count"]
        if catalogue.by_style["silhouette"]:
            kinds.append("silhouette")
        if catalogue.recoloured:
            kinds.append("recolour")
        self._kinds = kinds
        self._weights = [SHARES[kind] for kind in kinds]

    def draw(self) -> Composition:
        """The next composition."""
        kind = self._rng.choices(self._kinds, self._weights)[0]
        draw = {
            "one": self._one,
            "silhouette": self._silhouette,
            "ground": self._on_ground,
            "scene": self._in_scene,
            "recolour": self._recoloured,
            "pair": self._pair,
            "count": self._count,
        }[kind]
        return draw()

    def _mirrored(self, picture: int) -> bool:
        return self._catalogue.thing(picture).mirrors and self._rng.random() < 0.3

    def _alone(self, picture: int) -> tuple[Layer]:
        """One thing that fills the canvas, not quite centred."""
        x, y = self._rng.uniform(-0.03, 0.03), self._rng.uniform(-0.03, 0.03)
        return (Layer(picture, x, y, self._rng.uniform(0.80, 0.98), self._mirrored(picture)),)

    def _either(self, share_3d: float) -> Style:
        """The default style in `share_3d` of all cases, else the cartoon style."""
        if self._rng.random() < share_3d or not self._catalogue.by_style["cartoon"]:
            return "3d"
        return "cartoon"

    def _one(self) -> Composition:
        styles = [style for style in _ONE_STYLES if self._catalogue.by_style[style]]
        style = self._rng.choices(styles, [_ONE_STYLES[s] for s in styles])[0]
        blur = self._rng.choice((1, 2)) if self._rng.random() < _BLUR_SHARE else 0
        return Composition(
            "one", style, self._alone(self._catalogue.by_style[style].pick(self._rng)), blur=blur
        )

    def _silhouette(self) -> Composition:
        layers = self._alone(self._catalogue.by_style["silhouette"].pick(self._rng))
        chance = self._rng.random()
        ink = self._rng.choice(tuple(words.COLOURS)) if chance < 0.45 else "black"
        ground = None
        if chance < 0.12:
            ground = self._rng.choice([colour for colour in (*words.COLOURS, "white") if colour != ink])
        return Composition("silhouette", "silhouette", layers, ground=ground, ink=ink)

    def _on_ground(self) -> Composition:
        style = self._either(0.8)
        layers = self._alone(self._catalogue.by_style[style].pick(self._rng))
        return Composition("ground", style, layers, ground=self._rng.choice(tuple(words.COLOURS)))

    def _in_scene(self) -> Composition:
        rng = self._rng
        style = self._either(0.85)
        picture = self._catalogue.placed[style].pick(rng)
        scene = rng.randrange(len(words.SCENE_NAMES))
        scale = rng.uniform(0.45, 0.72)
        if words.SCENE_NAMES[scene] in words.STANDING_SCENES:
            y = rng.uniform(0.75, 0.92) - scale / 2 - 0.5  # its foot between 75% and 92% of the height
        else:
            y = rng.uniform(-0.08, 0.08)
        layer = Layer(picture, rng.uniform(-0.12, 0.12), y, scale, self._mirrored(picture))
        return Composition("scene", style, (layer,), scene=scene)

    def _recoloured(self) -> Composition:
        return Composition("recolour", "3d", self._alone(self._catalogue.recoloured.pick(self._rng)))

    def _pair(self) -> Composition:
        rng = self._rng
        y = rng.uniform(-0.05, 0.05)
        layers = []
        for side in (-0.25, 0.25):
            picture = self._catalogue.paired["3d"].pick(rng)
            x = side + rng.uniform(-0.015, 0.015)
            layers.append(Layer(picture, x, y, rng.uniform(0.43, 0.5), self._mirrored(picture)))
        ground = rng.choice(tuple(words.COLOURS)) if rng.random() < 0.2 else None
        return Composition("pair", "3d", tuple(layers), ground=ground)

    def _count(self) -> Composition:
        rng = self._rng
        picture = self._catalogue.paired["3d"].pick(rng)
        number = rng.choice((2, 2, 3, 3, 4))
        places = _COUNT_PLACES[number]
        if number == 3 and rng.random() < 0.4:
            places = _THREE_IN_A_ROW
        mirrored = self._mirrored(picture)
        return Composition(
            "count", "3d", tuple(Layer(picture, x, y, scale, mirrored) for x, y, scale in places)
        )
