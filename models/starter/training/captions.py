"""Captions for compositions, in the ways people write prompts."""

from __future__ import annotations

import random
import re
from typing import Final

from training import vocabulary as words
from training.catalogue import Catalogue, Style, Thing
from training.compositions import Composition

_NO_ARTICLE = re.compile(r"(s|hair|water|food|money|music|rice|weather|traffic|people|sushi|bread)$")
_HAS_ARTICLE = re.compile(r"(a|an|the|flag|number|one|two|three|\d)\b")
_VOWELS: Final = "aeiou"


def with_article(phrase: str, rng: random.Random) -> str:
    """`phrase` with "a", "an" or "the" where it takes one; a third go without, as in many prompts."""
    if rng.random() < 0.35 or _NO_ARTICLE.search(phrase) or _HAS_ARTICLE.match(phrase):
        return phrase
    if rng.random() < 0.08:
        return f"the {phrase}"
    return f"{'an' if phrase[0] in _VOWELS else 'a'} {phrase}"


def plural(noun: str) -> str:
    """The English plural, by the regular rules and the one exception that the names hold."""
    if noun == "mouse":
        return "mice"
    if noun.endswith("y") and noun[-2] not in _VOWELS:
        return f"{noun[:-1]}ies"
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("fe"):
        return f"{noun[:-2]}ves"
    return f"{noun}s"


class Captioner:
    """Writes captions for the compositions of one catalogue.

    Args:
        catalogue: What the compositions' picture numbers refer to.
        rng: Used up in order; the same seed gives the same captions.
        style_share: Share of captions that name their style, by style.
    """

    def __init__(
        self, catalogue: Catalogue, rng: random.Random, style_share: dict[str, float] = words.STYLE_SHARE
    ) -> None:
        self._catalogue = catalogue
        self._rng = rng
        self._style_share = style_share

    def caption(self, composition: Composition) -> str:
        """One caption; another call may word it differently."""
        write = {
            "one": self._one,
            "ground": self._one,
            "silhouette": self._silhouette,
            "scene": self._scene,
            "recolour": self._recoloured,
            "pair": self._pair,
            "count": self._count,
        }[composition.kind]
        phrase = self._styled(write(composition), composition.style)
        return self._spoilt(phrase) if composition.blur else self._dressed(phrase)

    def _thing(self, composition: Composition, layer: int = 0) -> Thing:
        return self._catalogue.thing(composition.layers[layer].picture)

    def _name(self, thing: Thing, *, exact: bool = False) -> str:
        """One of a thing's names. `exact` forbids exchanging words, which could name another colour."""
        rng = self._rng
        if thing.label.startswith("flag of"):
            return rng.choice((thing.label, thing.label, thing.label.removeprefix("flag of ") + " flag"))
        chance = rng.random()
        if chance < 0.55 or not thing.names:
            name = thing.label
        else:
            name = rng.choice((thing.extra or thing.names) if chance < 0.88 else thing.names)
        if not exact and rng.random() < 0.18:
            old, new = rng.choice(words.SYNONYMS)
            name = name.replace(old, new, 1)
        return name

    def _subject(self, thing: Thing) -> str:
        """A thing by name, by name and tags, or by tags alone."""
        rng = self._rng
        tags = thing.tags if thing.group not in (words.FLAGS, words.SILHOUETTES) else ()
        chance = rng.random()
        if tags and chance < 0.13:
            some = rng.sample(tags, min(len(tags), rng.randint(1, 3)))
            return ", ".join((with_article(self._name(thing), rng), *some))
        if tags and chance < 0.20:
            return " ".join((*rng.sample(tags, min(len(tags), rng.randint(1, 2))), self._name(thing)))
        if len(tags) > 3 and chance < 0.25:
            return rng.choice((", ", " ")).join(rng.sample(tags, rng.randint(3, 4)))
        return with_article(self._name(thing), rng)

    def _one(self, composition: Composition) -> str:
        phrase = self._subject(self._thing(composition))
        if composition.ground is not None:
            return phrase + self._on(composition.ground, also_short=True)
        if self._rng.random() < 0.07:
            phrase += self._rng.choice((" ", ", ")) + self._rng.choice(words.WHITE_GROUND)
        return phrase

    def _on(self, colour: str, *, also_short: bool = False) -> str:
        ways = [f" on a {colour} background", f", {colour} background"]
        if also_short:
            ways += [f" with a {colour} background", f" on {colour}"]
        return self._rng.choice(ways)

    def _silhouette(self, composition: Composition) -> str:
        label = self._thing(composition).label
        if composition.ink != "black" or self._rng.random() < 0.3:
            label = f"{composition.ink} {label}"
        phrase = with_article(label, self._rng)
        return phrase if composition.ground is None else phrase + self._on(composition.ground)

    def _scene(self, composition: Composition) -> str:
        assert composition.scene is not None
        place = self._rng.choice(words.SCENES[words.SCENE_NAMES[composition.scene]])
        subject = with_article(self._name(self._thing(composition)), self._rng)
        return subject + self._rng.choice((" ", " ", ", ")) + place

    def _recoloured(self, composition: Composition) -> str:
        colour = self._catalogue.pictures[composition.layers[0].picture].recolour
        name = self._name(self._thing(composition), exact=True)
        if self._rng.random() < 0.75:
            return with_article(f"{colour} {name}", self._rng)
        return with_article(name, self._rng) + self._rng.choice((f" in {colour}", f" colored {colour}"))

    def _pair(self, composition: Composition) -> str:
        left, right = (with_article(self._name(self._thing(composition, i)), self._rng) for i in (0, 1))
        ways = {
            f"{left} and {right}": 65,
            f"{left} next to {right}": 13,
            f"{left} beside {right}": 8,
            f"{left} on the left and {right} on the right": 8,
            f"{left}, {right}": 6,
        }
        phrase = self._rng.choices(tuple(ways), tuple(ways.values()))[0]
        return phrase if composition.ground is None else f"{phrase} on a {composition.ground} background"

    def _count(self, composition: Composition) -> str:
        name = self._name(self._thing(composition))
        # "slices of pizza", "faces with tears": the noun is not the last word, so it stays as it is
        many = name if " of " in name or " with " in name else plural(name)
        return f"{self._rng.choice(words.COUNT_WORDS[len(composition.layers)])} {many}"

    def _styled(self, phrase: str, style: Style) -> str:
        rng = self._rng
        if rng.random() >= self._style_share[style]:
            return phrase
        word = rng.choice(words.STYLE_WORDS[style])
        return rng.choices((f"{word} {phrase}", f"{phrase}, {word}", f"{word} of {phrase}"), (30, 45, 25))[0]

    def _dressed(self, phrase: str) -> str:
        """With the openings and endings that prompts carry."""
        rng = self._rng
        opening = rng.choice(words.OPENINGS) if rng.random() < 0.45 else ""
        if opening.endswith((" cute ", " beautiful ")):
            phrase = re.sub(r"^(a|an|the) ", "", phrase)
        ending = rng.choice(words.ENDINGS) if rng.random() < 0.3 else ""
        return re.sub(r"\s+", " ", opening + phrase + ending)

    def _spoilt(self, phrase: str) -> str:
        """With the words that people put into negative prompts."""
        after = f"{phrase}, {self._rng.choice(words.BAD_QUALITY)}"
        return self._rng.choice((after, f"blurry {phrase}", f"low quality {phrase}"))
