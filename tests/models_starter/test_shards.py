"""Splitting safetensors files keeps every byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training.shards import Tensor, digests, plan, read_tensors, split, write_tensors

TENSORS = [Tensor(f"layer.{i}", "F16", (100, 100 + i), bytes([i]) * (200 * (100 + i))) for i in range(9)]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "whole" / "part" / "model.safetensors"
    path.parent.mkdir(parents=True)
    write_tensors(path, TENSORS)
    return path


def test_what_is_written_is_read(whole: Path) -> None:
    assert list(read_tensors(whole)) == TENSORS


def test_shards_hold_the_same_tensors(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut" / "part"
    files = split(whole, folder, shard_bytes=110_000)
    assert [file.name for file in files] == [f"model-{i:05d}-of-00005.safetensors" for i in range(1, 6)]
    assert max(file.stat().st_size for file in files) <= 110_000
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == {tensor.name for tensor in TENSORS}


def test_a_small_model_stays_one_file(whole: Path, tmp_path: Path) -> None:
    assert [file.name for file in split(whole, tmp_path / "one")] == ["model.safetensors"]


def test_a_digest_tells_shapes_types_and_bytes_apart() -> None:
    base = Tensor("t", "F16", (2, 3), bytes(12))
    others = [Tensor("t", "BF16", (2, 3), bytes(12)), Tensor("t", "F16", (3, 2), bytes(12))]
    others.append(Tensor("t", "F16", (2, 3), bytes(11) + b"\x01"))
    assert base.digest() not in {other.digest() for other in others}
    assert Tensor("renamed", "F16", (2, 3), bytes(12)).digest() == base.digest()


def test_a_tensor_larger_than_a_shard_is_refused() -> None:
    with pytest.raises(ValueError, match=r"layer\.0"):
        plan(TENSORS, shard_bytes=70_000)


def test_a_file_cut_off_is_refused(whole: Path) -> None:
    whole.write_bytes(whole.read_bytes()[:-1])
    with pytest.raises(ValueError, match="cut off"):
        list(read_tensors(whole))
