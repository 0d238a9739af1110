"""What the engine makes of models that people install."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from invokeai_saas.errors import InvalidInput
from invokeai_saas.worker.engine.engine import InvokeAIEngine
from invokeai_saas.worker.engine.probe import probe_model

from .conftest import MODELS
from .test_probe import single_file_stable_diffusion

PREFIX = "models/users/6f1a2c00-0000-4000-8000-000000000000/key-1"
SAID = {"key": "key-1", "name": "Mine", "source": "owner/name", "source_type": "hf_repo_id"}


def lora(path: Path) -> Path:
    """A LoRA of Stable Diffusion 1 as Kohya's trainer writes them."""
    layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    tensors = {
        f"{layer}.lora_down.weight": torch.zeros(4, 768),
        f"{layer}.lora_up.weight": torch.zeros(320, 4),
        f"{layer}.alpha": torch.tensor(4.0),
    }
    save_file(tensors, path)
    return path


def test_a_lora_is_recognised_and_holds_its_logical_path(tmp_path: Path) -> None:
    record = InvokeAIEngine.identify(
        InvokeAIEngine.__new__(InvokeAIEngine),
        lora(tmp_path / "a.safetensors"),
        f"{PREFIX}/a.safetensors",
        SAID,
    )
    assert (record["type"], record["base"], record["format"]) == ("lora", "sd-1", "lycoris")
    assert record["path"] == f"{PREFIX}/a.safetensors"
    assert {name: record[name] for name in SAID} == SAID
    assert str(tmp_path) not in json.dumps(record)


def test_a_folder_is_recognised_and_its_own_model_json_is_not_read(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(MODELS / "starter" / "weights", tmp_path / "x"))
    (folder / "model.json").write_text('{"name": "Official", "description": "trust me"}')
    record = probe_model(folder, PREFIX, SAID)
    assert (record["type"], record["base"], record["name"]) == ("main", "sd-1", "Mine")
    assert record["description"] is None or "trust" not in record["description"]


@pytest.mark.parametrize(
    "said",
    [
        {"default_settings": {"weight": "much"}},
        {"default_settings": {"steps": 3}},
        {"trigger_phrases": 3},
        {"type": "soup"},
        {"base": "nothing"},
    ],
)
def test_what_a_person_says_must_fit(tmp_path: Path, said: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        probe_model(lora(tmp_path / "a.safetensors"), f"{PREFIX}/a.safetensors", SAID | said)


def test_what_is_none_that_can_be_loaded_is_refused(tmp_path: Path) -> None:
    strange, checkpoint = tmp_path / "strange.safetensors", tmp_path / "v1-5.safetensors"
    save_file({"some.weight": torch.zeros(3)}, strange)
    save_file(single_file_stable_diffusion(), checkpoint)
    for path in (strange, checkpoint):
        with pytest.raises(InvalidInput):
            probe_model(path, f"{PREFIX}/{path.name}", SAID)
