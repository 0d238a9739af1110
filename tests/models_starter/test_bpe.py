"""The pruned tokenizer splits what it kept as the whole one does."""

from __future__ import annotations

import json
from pathlib import Path

from training.bpe import END, START, Pruner, byte_alphabet, write_tokenizer

# ranks as a trained tokenizer would have them: "heart" and "hear" are words, "art" is a piece
MERGES = [
    ("h", "e"),
    ("a", "r"),
    ("he", "ar"),
    ("hear", "t</w>"),
    ("ar", "t</w>"),
    ("a", "a"),
    ("r", "t</w>"),
]


def test_bytes_map_to_distinct_printable_characters() -> None:
    alphabet = byte_alphabet()
    assert len(set(alphabet.values())) == 256
    assert alphabet[ord("a")] == "a"
    assert alphabet[ord(" ")] == "\u0120"  # as in GPT-2
    assert all(character.isprintable() for character in alphabet.values())


def test_merges_apply_by_rank() -> None:
    pruner = Pruner(MERGES)
    assert pruner.encode("heart") == (
        ["heart</w>"],
        [("h", "e"), ("a", "r"), ("he", "ar"), ("hear", "t</w>")],
    )
    assert pruner.encode("art")[0] == ["art</w>"]
    assert pruner.encode("aaab")[0] == ["aa", "a", "b</w>"]


def test_kept_words_split_the_same_and_others_into_pieces() -> None:
    whole = Pruner(MERGES)
    assert whole.keep(["heart"]) == 1
    pruned = Pruner(whole.merges)
    assert pruned.encode("heart") == whole.encode("heart")
    assert pruned.encode("art")[0] == ["ar", "t</w>"]


def test_words_that_do_not_fit_are_passed_over() -> None:
    pruner = Pruner(MERGES, size=514 + 2)
    assert pruner.keep(["heart", "art"]) == 1  # four merges do not fit, two do
    assert pruner.merges == [("a", "r"), ("ar", "t</w>")]


def test_the_files_are_clips(tmp_path: Path) -> None:
    pruner = Pruner(MERGES)
    pruner.keep(["heart"])
    write_tokenizer(pruner, tmp_path)
    ids = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert sorted(ids.values()) == list(range(514 + 4))
    assert [token for token, number in ids.items() if number >= 516] == [START, END]
    merges = (tmp_path / "merges.txt").read_text(encoding="utf-8").splitlines()
    assert merges == ["#version: 0.2", "h e", "a r", "he ar", "hear t</w>"]


def test_the_committed_tokenizer_is_of_that_form(starter: Path) -> None:
    folder = starter / "weights" / "tokenizer"
    ids: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    assert len(ids) == 6_400
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    pruner = Pruner((left, right) for left, right in (line.split(" ") for line in lines))
    for word in ("heart", "apple", "sunglasses", "rocket", "background"):
        tokens = pruner.encode(word)[0]
        assert tokens == [f"{word}</w>"]
        assert tokens[0] in ids
