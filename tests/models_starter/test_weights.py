"""The committed weights are the trained tensors, in files a repository can hold, in the layout loaders look for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PARTS = {
    "text_encoder": "model.safetensors",
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
}


def test_every_tensor_has_its_recorded_digest(starter: Path) -> None:
    from training import shards

    lines = (starter / "TENSORS.sha256").read_text().splitlines()
    recorded = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert len(recorded) == 550
    assert shards.digests(starter / "weights") == recorded


def test_no_file_is_larger_than_sixteen_megabytes(starter: Path) -> None:
    sizes = [path.stat().st_size for path in (starter / "weights").rglob("*") if path.is_file()]
    assert max(sizes) <= 16_000_000
    assert sum(sizes) < 64_000_000


@pytest.mark.parametrize("part", PARTS)
def test_an_index_names_the_shard_of_every_tensor(starter: Path, part: str) -> None:
    from training import shards

    folder = starter / "weights" / part
    index_file = folder / f"{PARTS[part]}.index.json"
    files = sorted(folder.glob("*.safetensors"))
    if not index_file.exists():
        assert [file.name for file in files] == [PARTS[part]]
        return
    index = json.loads(index_file.read_text())
    found = {tensor.name: file.name for file in files for tensor in shards.read_tensors(file)}
    assert index["weight_map"] == found
    total = sum(len(tensor.data) for file in files for tensor in shards.read_tensors(file))
    assert index["metadata"]["total_size"] == total


def test_the_model_index_names_the_folders_that_are_there(starter: Path) -> None:
    weights = starter / "weights"
    index = json.loads((weights / "model_index.json").read_text())
    named = {key for key, value in index.items() if isinstance(value, list) and value[0]}
    assert named == {path.name for path in weights.iterdir() if path.is_dir()}


def test_the_sidecar_gives_what_the_scan_reads(starter: Path) -> None:
    sidecar = json.loads((starter / "model.json").read_text())
    assert (starter / sidecar["path"] / "model_index.json").is_file()
    assert sidecar["name"] == "Starter"
    settings = sidecar["default_settings"]
    assert (settings["width"], settings["height"]) == (256, 256)
    assert 3 <= settings["cfg_scale"] <= 7.5
    assert settings["steps"] >= 12


def test_the_prompts_of_the_sheet(starter: Path) -> None:
    prompts = (starter / "prompts.txt").read_text().splitlines()
    assert len(prompts) == len(set(prompts)) == 24
    assert prompts[0] == "a red heart"
