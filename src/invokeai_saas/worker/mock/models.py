"""Which models the mock engine knows, so that people's own can be installed without the real one."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from invokeai_saas.errors import InvalidInput
from invokeai_saas.worker.contract import ModelRecord


def identify(path: Path, logical_path: str, said: dict[str, Any]) -> ModelRecord:
    """Knows LoRAs of Stable Diffusion 1 by the names of their tensors, and nothing else.

    Parameters:
        path: the model's file on this worker.
        logical_path: what the record says instead.
        said: fields of the record that the person decides.

    Raises InvalidInput for anything else.
    """
    if not path.is_file() or not any("lora" in name for name in _tensor_names(path)):
        raise InvalidInput(("path",), f"{path.name} is no LoRA, and the mock engine knows nothing else.")
    digest = sha256(path.read_bytes()).hexdigest()
    known = {
        "hash": f"sha256:{digest}", "path": logical_path, "file_size": path.stat().st_size, "name": path.stem,
        "description": None, "source": logical_path, "source_type": "path", "source_api_response": None,
        "source_url": None, "cover_image": None, "type": "lora", "base": "sd-1", "format": "lycoris",
        "trigger_phrases": None, "default_settings": None,
    }  # fmt: skip
    return known | said


def _tensor_names(path: Path) -> list[str]:
    """Names in the header of a safetensors file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return list(json.loads(file.read(min(length, path.stat().st_size))))
