"""Whether a file is what a model may hold: safetensors, and small texts that say how its parts fit together.

The format of safetensors (https://github.com/huggingface/safetensors#format): eight bytes with the length N of the
header, little-endian; N bytes of JSON, `{name: {dtype, shape, data_offsets: [begin, end]}}`, offsets counted from
the end of the header; then the tensors, without holes. Nothing in it is code. A pickle would be, so none is taken.
"""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import Any

import orjson

from invokeai_saas.errors import InvalidInput

WEIGHTS = ".safetensors"
TEXTS = frozenset({".json", ".txt", ".model"})  # .model: vocabularies of SentencePiece
MAX_TEXT_BYTES = 64 * 2**20  # vocabularies of large encoders come near it
MAX_HEADER_BYTES = 16 * 2**20
_MAX_TENSORS = 200_000
_MAX_DIMENSIONS = 16
_LENGTH_BYTES = 8
_SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8,
}  # fmt: skip
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+ ()\[\]-]{0,150}")
# Libraries that a pipeline's parts may come from. Another one's name would be imported when it is loaded.
_LIBRARIES = frozenset({"diffusers", "transformers", "stable_diffusion", "stable_diffusion_xl"})


def refused(message: str) -> InvalidInput:
    """The error of a file that is not taken."""
    return InvalidInput(("source",), message, code="unusable_model")


def is_safe_path(path: str) -> bool:
    """Whether a path within a model is a plain one: no hidden parts, no way out of the folder."""
    parts = path.split("/")
    return 0 < len(parts) <= 6 and all(_PART.fullmatch(part) and not part.startswith(".") for part in parts)


class FileCheck:
    """Looks at a file as it comes in, so that a bad one is refused before much of it has come.

    Parameters:
        path: of the file within its model; its ending says what it must be.

    Raises InvalidInput from `feed` and `finish`.
    """

    def __init__(self, path: str) -> None:
        suffix = PurePosixPath(path).suffix.lower()
        if suffix != WEIGHTS and suffix not in TEXTS:
            raise refused(f"{path} is not taken: weights must be safetensors, which hold no code.")
        self._path = path
        self._is_weights = suffix == WEIGHTS
        self._is_json = suffix == ".json"
        self._head = bytearray()
        self._data_bytes: int | None = None  # that the header speaks of
        self._start = 0
        self._seen = 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the file."""
        self._seen += len(data)
        if not self._is_weights:
            self._head += data
            if self._seen > MAX_TEXT_BYTES:
                raise refused(f"{self._path} is too long for a description.")
        elif self._data_bytes is None:
            self._head += data
            self._look_at_header()

    def _look_at_header(self) -> None:
        if len(self._head) < _LENGTH_BYTES:
            return
        length = int.from_bytes(self._head[:_LENGTH_BYTES], "little")
        if not 2 <= length <= MAX_HEADER_BYTES:
            raise refused(f"{self._path} is not a safetensors file: its header would have {length} bytes.")
        self._start = _LENGTH_BYTES + length
        if len(self._head) >= self._start:
            self._data_bytes = _data_bytes(self._path, bytes(self._head[_LENGTH_BYTES : self._start]))
            self._head.clear()

    def finish(self) -> None:
        """The file has come whole."""
        if not self._is_weights:
            if self._is_json:
                _check_json(self._path, bytes(self._head))
        elif self._data_bytes is None or self._seen != self._start + self._data_bytes:
            raise refused(f"{self._path} is not whole: its tensors do not end where the file does.")


def _data_bytes(path: str, header: bytes) -> int:
    """Bytes of all tensors. Raises InvalidInput unless they lie one behind the other."""
    try:
        entries = orjson.loads(header)
    except orjson.JSONDecodeError as error:
        raise refused(f"{path} is not a safetensors file: its header is not JSON.") from error
    if not isinstance(entries, dict) or len(entries) > _MAX_TENSORS:
        raise refused(f"{path} is not a safetensors file: its header lists no tensors.")
    notes = entries.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(note, str) for note in notes.values()):
        raise refused(f"{path}: the notes in its header are not texts.")
    ranges = sorted(_range_of(path, name, entry) for name, entry in entries.items())
    if not ranges:
        raise refused(f"{path} holds no tensors.")
    end = 0
    for begin, this_end in ranges:
        if begin != end:
            raise refused(f"{path}: its tensors overlap, or leave holes.")
        end = this_end
    return end


def _range_of(path: str, name: str, entry: Any) -> tuple[int, int]:
    problem = refused(f"{path}: the header's entry of {name[:100]!r} is wrong.")
    if not isinstance(entry, dict):
        raise problem
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    size = _SIZES.get(str(entry.get("dtype")))
    if size is None or not _are_counts(shape, _MAX_DIMENSIONS) or not _are_counts(offsets, 2):
        raise problem
    assert shape is not None and offsets is not None  # lists, as was just looked at
    if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * size:
        raise problem
    return offsets[0], offsets[1]


def _are_counts(value: Any, most: int) -> bool:
    """Whether a value is a short list of whole numbers from 0 on."""
    return (
        isinstance(value, list)
        and len(value) <= most
        and all(type(number) is int and 0 <= number < 2**63 for number in value)
    )


def _check_json(path: str, text: bytes) -> None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise refused(f"{path} is not JSON.") from error
    if PurePosixPath(path).name != "model_index.json":
        return
    if not isinstance(value, dict):
        raise refused(f"{path} describes no pipeline.")
    for name, part in value.items():
        if isinstance(part, list) and part and part[0] is not None and part[0] not in _LIBRARIES:
            raise refused(f"{path}: the part {name[:100]!r} comes from a library that is not offered.")
