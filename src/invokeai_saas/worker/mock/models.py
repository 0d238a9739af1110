"""Which models the mock engine knows, so that people's own can be installed without the real one."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

from invokeai_saas.errors import InvalidInput
from invokeai_saas.worker.contract import ModelRecord

_INDEX = "model_index.json"
_OWN_INDEX = json.dumps({"_class_name": "StableDiffusionPipeline"})


def identify(path: Path, logical_path: str, said: dict[str, Any]) -> ModelRecord:
    """Knows LoRAs and checkpoints of Stable Diffusion 1 by the names of their tensors, and folders that it wrote.

    Parameters:
        path: the model's file on this worker.
        logical_path: what the record says instead.
        said: fields of the record that the person decides.

    Raises InvalidInput for anything else.
    """
    files = [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
    digest = sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    known = {
        "hash": f"sha256:{digest}", "path": logical_path, "file_size": sum(file.stat().st_size for file in files),
        "name": path.stem, "description": None, "source": logical_path, "source_type": "path",
        "source_api_response": None, "source_url": None, "cover_image": None, "base": "sd-1",
        "trigger_phrases": None, "default_settings": None,
    }  # fmt: skip
    return known | _kind(path) | said


def convert(path: Path, target: Path) -> None:
    """A folder that `identify` knows, with the file's tensors in it."""
    unet = target / "unet"
    unet.mkdir(parents=True)
    (target / _INDEX).write_text(_OWN_INDEX, encoding="utf-8")
    shutil.copyfile(path, unet / "diffusion_pytorch_model.safetensors")


def _kind(path: Path) -> dict[str, Any]:
    main = {"type": "main", "variant": "normal", "prediction_type": "epsilon"}
    index = path / _INDEX
    if index.is_file() and index.read_text(encoding="utf-8") == _OWN_INDEX:
        return main | {"format": "diffusers", "repo_variant": ""}
    names = _tensor_names(path) if path.is_file() else []
    if any(name.startswith("model.diffusion_model.") for name in names):
        return main | {"format": "checkpoint", "config_path": None}
    if any("lora" in name for name in names):
        return {"type": "lora", "format": "lycoris"}
    raise InvalidInput(("path",), f"{path.name} is nothing that the mock engine knows.")


def _tensor_names(path: Path) -> list[str]:
    """Names in the header of a safetensors file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return list(json.loads(file.read(min(length, path.stat().st_size))))
