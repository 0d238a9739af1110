"""Files of models: which are taken, and how early the others are refused."""

from __future__ import annotations

import json
import pickle
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invokeai_saas.catalog.installs.checks import MAX_HEADER_BYTES, FileCheck, is_safe_path
from invokeai_saas.errors import InvalidInput
from tests.catalog.installs.sources import safetensors


def check(data: bytes, path: str = "a.safetensors", piece: int = 7) -> None:
    looked = FileCheck(path)
    for start in range(0, len(data), piece):
        looked.feed(data[start : start + piece])
    looked.finish()


def _entry(**changes: Any) -> dict[str, Any]:
    return {"dtype": "F16", "shape": [2, 4], "data_offsets": [0, 16]} | changes


def _file(entries: Any, data: bytes = bytes(16)) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize("piece", [1, 7, 2**20])
def test_a_good_file_is_taken_however_it_comes(piece: int) -> None:
    check(
        safetensors({"a": bytes(5), "b": bytes(3), "empty": b""}, __metadata__={"format": "pt"}), piece=piece
    )
    check(_file({"scalar": _entry(shape=[], data_offsets=[0, 2])}, bytes(2)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        pickle.dumps({"a": 1}) + bytes(50),
        struct.pack("<Q", 2**31) + b"{",  # a header of two gigabytes
        struct.pack("<Q", 2**64 - 1) + b"{",
        struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{",
        struct.pack("<Q", 0),
        struct.pack("<Q", 100) + b"{}",  # ends within the header
        struct.pack("<Q", 4) + b"nope",
        struct.pack("<Q", 2000) + b"[" * 2000,
        _file([]),
        _file({}),
        _file({"__metadata__": {"a": 1}, "t": _entry()}),
        _file({"__metadata__": [], "t": _entry()}),
        _file({"t": _entry()}, bytes(15)),
        _file({"t": _entry()}, bytes(17)),
        _file({"t": _entry(data_offsets=[0, 8])}),
        _file({"t": _entry(data_offsets=[8, 24])}, bytes(24)),
        _file({"t": _entry(), "u": _entry()}),  # the same bytes twice
        _file({"t": _entry(), "u": _entry(data_offsets=[8, 24])}, bytes(24)),
        _file({"t": _entry(), "u": _entry(data_offsets=[20, 36])}, bytes(36)),  # a hole
        _file({"t": _entry(dtype="OBJECT")}),
        _file({"t": _entry(shape=[-2, -4])}),
        _file({"t": _entry(shape=[2.0, 4])}),
        _file({"t": _entry(shape=[True, 8])}),
        _file({"t": _entry(shape=[2**62, 2**62])}),
        _file({"t": _entry(shape=[1] * 17 + [8])}),
        _file({"t": _entry(data_offsets=[16, 0])}),
        _file({"t": _entry(data_offsets=["0", "16"])}),
        _file({"t": "tensor"}),
    ],
)
def test_what_is_no_safetensors_file_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        check(data)


def test_a_huge_header_is_refused_at_its_eighth_byte() -> None:
    looked = FileCheck("a.safetensors")
    looked.feed(struct.pack("<Q", 2**31)[:7])
    with pytest.raises(InvalidInput, match="header"):
        looked.feed(b"\0")


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_rubbish_is_refused_and_never_breaks_the_check(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        check(data)


@pytest.mark.parametrize("path", ["model.ckpt", "model.bin", "model.pt", "model.gguf", "code.py", "noend"])
def test_only_safetensors_and_texts_are_taken(path: str) -> None:
    with pytest.raises(InvalidInput, match="safetensors"):
        FileCheck(path)


def test_descriptions_are_json_and_name_known_libraries() -> None:
    check(b'{"_class_name": "x", "unet": ["diffusers", "UNet"], "safety": [null, null]}', "model_index.json")
    check(b"a b\nc d", "tokenizer/merges.txt")
    for text in (b"{", b"\xff", b"[" * 5000):
        with pytest.raises(InvalidInput, match="JSON"):
            check(text, "unet/config.json")
    for index in (b'{"unet": ["os", "system"]}', b'{"unet": ["my.module", "X"]}', b"[]"):
        with pytest.raises(InvalidInput):
            check(index, "model_index.json")


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("unet/model.fp16.safetensors", True), ("a b (1).safetensors", True), ("../a", False), ("/etc/passwd", False),
        ("a/../b", False), (".hidden", False), ("a//b", False), ("", False), ("a/" * 9 + "b", False), ("a\0", False),
        ("a\\b", False), ("x" * 300, False),
    ],
)  # fmt: skip
def test_paths_within_a_model(path: str, safe: bool) -> None:
    assert is_safe_path(path) is safe
