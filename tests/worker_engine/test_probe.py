"""Which models a folder offers, and what is said of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from invokeai_saas.errors import InvalidInput
from invokeai_saas.worker.contract import ModelRecord
from invokeai_saas.worker.engine.probe import FoundModel, RefusedModel, probe_model, scan_folder

from .conftest import MODELS

STARTER = MODELS / "starter" / "weights"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the starter model without its sidecar."""
    return Path(shutil.copytree(STARTER, tmp_path / "models" / "copy"))


def test_the_starter_model_is_recognised(starter: ModelRecord) -> None:
    assert (starter["base"], starter["type"], starter["format"]) == ("sd-1", "main", "diffusers")
    assert starter["prediction_type"] == "v_prediction"
    assert starter["hash"].startswith("blake3:")
    assert starter["file_size"] > 50_000_000


def test_the_sidecar_names_it_and_sets_its_defaults(starter: ModelRecord) -> None:
    sidecar = json.loads((MODELS / "starter" / "model.json").read_text(encoding="utf-8"))
    assert (starter["name"], starter["description"]) == (sidecar["name"], sidecar["description"])
    assert starter["default_settings"].items() >= sidecar["default_settings"].items()


def test_a_record_holds_logical_paths_only(starter: ModelRecord) -> None:
    assert starter["path"] == starter["source"] == "models/shared/starter/weights"
    assert str(MODELS) not in json.dumps(starter)


def test_a_model_without_sidecar_is_named_after_its_folder(folder: Path) -> None:
    record = probe_model(folder)
    assert (record["name"], record["path"]) == ("copy", "models/shared/copy")
    assert record["default_settings"]["width"] == 512


def test_the_key_depends_on_path_and_content(folder: Path) -> None:
    first, again = probe_model(folder), probe_model(folder)
    assert first == again
    assert probe_model(folder, "models/shared/elsewhere")["key"] != first["key"]
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"changed")
    assert probe_model(folder)["key"] != first["key"]


def test_submodels_have_logical_paths_too(tmp_path: Path) -> None:
    """Some families record where each part lies; InvokeAI writes absolute paths there."""
    parts = {
        "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "text_encoder_3": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "transformer": ["diffusers", "SD3Transformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    pipeline = tmp_path / "sd3"
    for name, (_, class_name) in parts.items():
        (pipeline / name).mkdir(parents=True)
        config = {"_class_name": class_name, "architectures": [class_name], "hidden_size": 768}
        (pipeline / name / "config.json").write_text(json.dumps(config))
    index = {"_class_name": "StableDiffusion3Pipeline", **parts}
    (pipeline / "model_index.json").write_text(json.dumps(index))
    (pipeline / "transformer" / "config.json").write_text(
        json.dumps({"_class_name": "SD3Transformer2DModel"})
    )
    record = probe_model(pipeline)
    assert record["base"] == "sd-3"
    assert record["submodels"]["text_encoder"]["path_or_prefix"] == "models/shared/sd3/text_encoder"
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize(
    ("sidecar", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"default_settings": {"steps": 0}}', "greater than 0"),
    ],
)
def test_a_wrong_sidecar_is_refused(folder: Path, sidecar: str, message: str) -> None:
    (folder / "model.json").write_text(sidecar)
    with pytest.raises(InvalidInput, match=message):
        probe_model(folder)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    strange = tmp_path / "strange.safetensors"
    save_file({"some.weight": torch.zeros(3)}, strange)
    with pytest.raises(InvalidInput, match="no weights"):
        probe_model(empty)
    with pytest.raises(InvalidInput, match="does not recognise"):
        probe_model(strange)


def single_file_stable_diffusion() -> dict[str, Any]:
    """Just enough keys of a Stable Diffusion 1 checkpoint for it to be recognised as one."""
    attention = "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
    return {
        "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight": torch.zeros(1),
        "first_stage_model.encoder.conv_in.weight": torch.zeros(1),
        attention: torch.zeros(320, 768),
        "model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 4, 3, 3),
    }


def test_a_file_of_a_few_weights_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "v1-5.safetensors"
    save_file(single_file_stable_diffusion(), checkpoint)
    with pytest.raises(InvalidInput, match="not built as usual, or not whole"):
        probe_model(checkpoint)


def test_a_language_model_is_refused(tmp_path: Path) -> None:
    """No worker runs one; on offer, it would make the page ask for prompts that nobody writes."""
    folder = tmp_path / "writer"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["Qwen2ForCausalLM"], "hidden_size": 8}))
    (folder / "tokenizer.json").write_text("{}")
    save_file({"model.embed_tokens.weight": torch.zeros(4, 8)}, folder / "model.safetensors")
    assert [type(found) for found in scan_folder(tmp_path)] == [FoundModel]  # looks like a model
    with pytest.raises(InvalidInput, match="type text_llm are not run here"):
        probe_model(folder)


def test_a_vae_that_loads_only_from_the_hub_is_refused(tmp_path: Path) -> None:
    vae = tmp_path / "vae-ft-mse.safetensors"
    save_file({"decoder.conv_in.weight": torch.zeros(512, 4, 3, 3)}, vae)
    with pytest.raises(InvalidInput, match="needs the model hub"):
        probe_model(vae)


def test_a_scan_finds_models_and_gives_reasons_for_what_it_leaves(folder: Path) -> None:
    models = folder.parent
    (models / "loras").mkdir()
    (models / "loras" / "style.safetensors").touch()
    (models / "old.ckpt").touch()
    (models / ".cache").mkdir()
    (models / ".cache" / "hidden.safetensors").touch()
    (models / "readme.txt").touch()
    pickled = models / "pickled"
    (pickled / "unet").mkdir(parents=True)
    (pickled / "model_index.json").touch()
    (pickled / "unet" / "diffusion_pytorch_model.bin").touch()
    found = list(scan_folder(models))
    assert [entry for entry in found if isinstance(entry, FoundModel)] == [
        FoundModel(folder, "models/shared/copy"),
        FoundModel(models / "loras" / "style.safetensors", "models/shared/loras/style.safetensors"),
    ]
    refused = {entry.path: entry.reason for entry in found if isinstance(entry, RefusedModel)}
    assert refused.keys() == {models / "old.ckpt", pickled}
    assert all("pickle" in reason for reason in refused.values())


def test_a_pickle_beside_safetensors_is_never_opened_and_no_reason_to_refuse(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.bin").touch()
    assert [type(entry) for entry in scan_folder(folder.parent)] == [FoundModel]


def test_a_scan_does_not_follow_links_out_of_the_tree(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.safetensors").touch()
    (folder.parent / "link.safetensors").symlink_to(tmp_path / "outside.safetensors")
    (folder.parent / "parent").symlink_to(tmp_path)
    assert [entry.path for entry in scan_folder(folder.parent)] == [folder]
