"""Safetensors files in pieces, without torch: split one into shards, join the digests of its tensors.

The format is eight bytes of length, a JSON header of that length, then the tensors' bytes
(https://github.com/huggingface/safetensors#format). Copying those bytes keeps every tensor identical, so a
set of shards can be held to the file it was cut from without loading either.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHARD_BYTES = 16_000_000  # below both 16 MB and 16 MiB, header included
_HEADER_ROOM = 64_000  # the UNet's header of 400 tensors takes 45 kB


@dataclass(frozen=True)
class Tensor:
    """One tensor as it lies on disk.

    Attributes:
        name: The key in the state dict.
        dtype: Safetensors' name of the element type, such as ``F16``.
        shape: Sizes of its axes.
        data: Little-endian bytes, row-major.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def digest(self) -> str:
        """SHA-256 over type, shape and bytes, in hexadecimal; the shard it lies in does not matter."""
        head = f"{self.dtype} {'x'.join(map(str, self.shape))}\n".encode()
        return hashlib.sha256(head + self.data).hexdigest()


def read_tensors(path: Path) -> Iterator[Tensor]:
    """The tensors of one safetensors file, by ascending name.

    Raises:
        ValueError: The file is shorter than its header says.
    """
    blob = path.read_bytes()
    (length,) = struct.unpack_from("<Q", blob)
    header: dict[str, Any] = json.loads(blob[8 : 8 + length])
    header.pop("__metadata__", None)
    for name in sorted(header):
        begin, end = header[name]["data_offsets"]
        data = blob[8 + length + begin : 8 + length + end]
        if len(data) != end - begin:
            raise ValueError(f"{path}: {name} is cut off")
        yield Tensor(name, header[name]["dtype"], tuple(header[name]["shape"]), data)


def write_tensors(path: Path, tensors: Iterable[Tensor]) -> None:
    """Write one safetensors file that transformers and diffusers accept (they insist on the ``pt`` mark)."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    chunks: list[bytes] = []
    offset = 0
    for tensor in tensors:
        end = offset + len(tensor.data)
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        chunks.append(tensor.data)
        offset = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)  # the format asks for tensors aligned to eight bytes
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + b"".join(chunks))


def plan(tensors: list[Tensor], shard_bytes: int = SHARD_BYTES) -> list[list[Tensor]]:
    """Tensors dealt to as few shards as their order allows.

    Args:
        tensors: All tensors of a model, in the order they are to lie.
        shard_bytes: Most bytes a shard file may have.

    Raises:
        ValueError: One tensor alone is larger than a shard.
    """
    room = shard_bytes - _HEADER_ROOM
    shards: list[list[Tensor]] = [[]]
    filled = 0
    for tensor in tensors:
        if len(tensor.data) > room:
            raise ValueError(f"{tensor.name} has {len(tensor.data)} bytes, a shard holds {room}")
        if filled + len(tensor.data) > room:
            shards.append([])
            filled = 0
        shards[-1].append(tensor)
        filled += len(tensor.data)
    return shards


def split(source: Path, folder: Path, shard_bytes: int = SHARD_BYTES) -> list[Path]:
    """Write ``source`` into ``folder`` as shards with their index, or as one file where it fits.

    The names are those that ``from_pretrained`` of transformers and diffusers look for.

    Returns:
        The safetensors files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = plan(list(read_tensors(source)), shard_bytes)
    if len(shards) == 1:
        write_tensors(folder / source.name, shards[0])
        return [folder / source.name]
    paths = [
        folder / f"{source.stem}-{number:05d}-of-{len(shards):05d}.safetensors"
        for number in range(1, len(shards) + 1)
    ]
    places: dict[str, str] = {}
    for path, shard in zip(paths, shards, strict=True):
        write_tensors(path, shard)
        places.update({tensor.name: path.name for tensor in shard})
    total = sum(len(tensor.data) for shard in shards for tensor in shard)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
    (folder / f"{source.stem}.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    return paths


def digests(folder: Path) -> dict[str, str]:
    """``part/tensor name`` to digest for every safetensors file below ``folder``, sharded or not."""
    return {
        f"{path.parent.relative_to(folder).as_posix()}/{tensor.name}": tensor.digest()
        for path in sorted(folder.rglob("*.safetensors"))
        for tensor in read_tensors(path)
    }


def write_digests(folder: Path, target: Path) -> None:
    """Record ``digests(folder)`` in ``target``, one ``digest  name`` a line, as ``sha256sum`` writes them."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(digests(folder).items())]
    target.write_text("".join(lines))
