"""CLIP's vocabulary as its tokenizer's files. All of it follows from the list of merges that lies beside this file.

Byte-pair encoding: Sennrich et al. 2016 (https://arxiv.org/abs/1508.07909). The alphabet for bytes is GPT-2's.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from pathlib import Path

from invokeai_saas.worker.engine.checkpoints.families import END, MAX_TOKENS, START

_WORD_END = "</w>"


def write_tokenizer(folder: Path, pad: str) -> None:
    """Writes a tokenizer as transformers reads it. Parameters: pad: the token that fills short prompts up."""
    vocabulary, merges = _files()
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
    config = special | {
        "tokenizer_class": "CLIPTokenizer",
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
        "model_max_length": MAX_TOKENS,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_bytes(vocabulary)
    (folder / "merges.txt").write_bytes(merges)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1), encoding="utf-8")


@cache
def _files() -> tuple[bytes, bytes]:
    """`vocab.json`: bytes, bytes that end a word, what the merges make, start and end; and `merges.txt`."""
    packed = files("invokeai_saas.worker.engine.checkpoints").joinpath("clip_merges.txt.gz").read_bytes()
    merges = gzip.decompress(packed)
    alphabet = _byte_alphabet()
    tokens = [*alphabet, *(letter + _WORD_END for letter in alphabet)]
    tokens += [merge.replace(" ", "") for merge in merges.decode().splitlines()]
    tokens += [START, END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return json.dumps(vocabulary).encode(), b"#version: 0.2\n" + merges


def _byte_alphabet() -> list[str]:
    """A printable character for every byte, in the order of the vocabulary."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = 256 - len(printable)
    return [chr(byte) for byte in sorted(printable)] + [chr(256 + number) for number in range(others)]
