"""CLIP's byte-pair tokenizer cut down to the words the captions need.

The whole vocabulary of 49,408 tokens would make the embedding table alone 76 MB; 6,400 tokens make it 10 MB.
A pruned tokenizer splits known words exactly as CLIP's does, and unknown ones into smaller pieces. Byte-pair
encoding: Sennrich et al. 2016, https://arxiv.org/abs/1508.07909; the byte alphabet is GPT-2's, as in CLIP.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

Merge = tuple[str, str]

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END: Final = "</w>"
VOCABULARY_SIZE: Final = 6_400
CLIP_MERGES: Final = 49_152 - 256 - 2  # the rest of the file is not part of CLIP's vocabulary
_FIXED_TOKENS: Final = 2 * 256 + 2  # bytes, bytes that end a word, start and end of text


def byte_alphabet() -> dict[int, str]:
    """One printable character for every byte; its order is the order of the vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in alphabet:
            alphabet[byte] = chr(256 + len(alphabet) - len(printable))
    return alphabet


def clip_merges(path: Path) -> list[Merge]:
    """The merges of CLIP in order of rank, from open_clip's `bpe_simple_vocab_16e6.txt.gz`."""
    with gzip.open(path, "rt", encoding="utf-8") as opened:
        lines = opened.read().split("\n")[1 : CLIP_MERGES + 1]
    return [(left, right) for left, right in (line.split() for line in lines)]


class Pruner:
    """Collects the merges that words need, up to a size of vocabulary."""

    def __init__(self, merges: Iterable[Merge], size: int = VOCABULARY_SIZE) -> None:
        """`merges` in order of rank; `size` in tokens, the 514 fixed ones included."""
        self._rank = {merge: rank for rank, merge in enumerate(merges)}
        self._alphabet = byte_alphabet()
        self._room = size - _FIXED_TOKENS
        self._kept: set[Merge] = set()

    def encode(self, word: str) -> tuple[list[str], list[Merge]]:
        """Tokens of one lower-case word by all merges, and the merges applied on the way."""
        pieces = [self._alphabet[byte] for byte in word.encode()]
        pieces[-1] += WORD_END
        used: list[Merge] = []
        while len(pieces) > 1:
            best = min(pairwise(pieces), key=lambda pair: self._rank.get(pair, len(self._rank)))
            if best not in self._rank:
                break
            used.append(best)
            pieces = _merged(pieces, best)
        return pieces, used

    def keep(self, words: Iterable[str]) -> int:
        """Keep what each word needs, most important first, passing over words that no longer fit.

        Returns:
            How many words are now whole tokens or known pieces.
        """
        fitted = 0
        for word in words:
            needed = set(self.encode(word)[1]) - self._kept
            if len(self._kept) + len(needed) <= self._room:
                self._kept |= needed
                fitted += 1
        return fitted

    @property
    def merges(self) -> list[Merge]:
        """The kept merges by rank."""
        return sorted(self._kept, key=self._rank.__getitem__)

    def vocabulary(self) -> list[str]:
        """All tokens; their position is their id. Ends with the start and the end of text, as CLIP's does."""
        single = list(self._alphabet.values())
        ends = [character + WORD_END for character in single]
        return [*single, *ends, *("".join(merge) for merge in self.merges), START, END]


def _merged(pieces: list[str], pair: Merge) -> list[str]:
    """`pieces` with every occurrence of `pair` joined, from the left."""
    joined: list[str] = []
    for piece in pieces:
        # a joined pair is longer than its left half, so it cannot be taken for that half again
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def write_tokenizer(pruner: Pruner, folder: Path) -> None:
    """Write the four files that transformers' CLIPTokenizer reads."""
    folder.mkdir(parents=True, exist_ok=True)

    def token(content: str) -> dict[str, Any]:
        return {
            "content": content,
            "lstrip": False,
            "normalized": True,
            "rstrip": False,
            "single_word": False,
        }

    special = {"bos_token": token(START), "eos_token": token(END), "unk_token": token(END), "pad_token": END}
    added = {k: {**v, "__type": "AddedToken"} if isinstance(v, dict) else v for k, v in special.items()}
    config = {
        "add_prefix_space": False,
        **added,
        "do_lower_case": True,
        "errors": "replace",
        "model_max_length": 77,
        "tokenizer_class": "CLIPTokenizer",
    }
    ids = {token: number for number, token in enumerate(pruner.vocabulary())}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in pruner.merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
