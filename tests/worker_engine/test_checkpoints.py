"""Stable Diffusion in a single file, without the model hub."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import invokeai
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from invokeai_saas.errors import InvalidInput
from invokeai_saas.worker.contract import Engine, ModelRecord
from invokeai_saas.worker.engine.checkpoints import configuration, structure
from invokeai_saas.worker.engine.checkpoints.families import FAMILIES, Family
from invokeai_saas.worker.engine.probe import probe_model

from .originals import Tensors, single_file, small
from .recording import Gallery, ListedModels, RecordingContext, claimed, graph, never, text_to_image

# Numbers of weights, as published with the models.
PUBLISHED = {
    "v1": {"unet": 859_520_964, "text_encoder": 123_060_480},
    "v2": {"unet": 865_910_724, "text_encoder": 340_387_840},
    "xl_base": {"unet": 2_567_463_684, "text_encoder": 123_060_480, "text_encoder_2": 694_659_840},
}
ORIGINAL_CONFIGS = {
    "v1": "v1-inference.yaml",
    "inpainting": "v1-inpainting-inference.yaml",
    "v2": "v2-inference-v.yaml",
    "inpainting_v2": "v2-inpainting-inference.yaml",
    "xl_base": "sd_xl_base.yaml",
    "xl_inpaint": "sd_xl_inpaint.yaml",
    "xl_refiner": "sd_xl_refiner.yaml",
}
KINDS = {
    "v1": ("sd-1", "normal", "epsilon"),
    "inpainting": ("sd-1", "inpaint", "epsilon"),
    "v2": ("sd-2", "normal", "v_prediction"),
    "inpainting_v2": ("sd-2", "inpaint", "v_prediction"),
    "xl_base": ("sdxl", "normal", "epsilon"),
    "xl_inpaint": ("sdxl", "inpaint", "epsilon"),
    "xl_refiner": ("sdxl-refiner", "normal", "epsilon"),
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: Any, **_more: Any) -> None:
        raise AssertionError("something asked the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


def empty_parts(family: Family) -> dict[str, Any]:
    """A pipeline's models on the meta device."""
    with torch.device("meta"):
        return parts_of(family)


def parts_of(family: Family) -> dict[str, Any]:
    classes = {"CLIPTextModel": CLIPTextModel, "CLIPTextModelWithProjection": CLIPTextModelWithProjection}
    return {
        "unet": UNet2DConditionModel.from_config(family.unet),
        "vae": AutoencoderKL.from_config(family.vae),
        **{
            name: classes[encoder.class_name](CLIPTextConfig(**encoder.config))
            for name, encoder in family.text_encoders.items()
        },
    }


def weights(parts: dict[str, Any]) -> dict[str, Tensors]:
    return {name: part.state_dict() for name, part in parts.items()}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_weight_of_a_file_of_full_size_has_its_place(name: str) -> None:
    family = FAMILIES[name]
    parts = weights(empty_parts(family))
    counts = {
        part: sum(math.prod(tensor.shape) for tensor in found.values()) for part, found in parts.items()
    }
    assert counts.items() >= PUBLISHED.get(name, {}).items()
    assert counts["vae"] == 83_653_863
    tensors = single_file(family, parts)
    assert structure.family_name(tensors) == name
    for wanted, found in structure.parts_of(family, tensors).values():
        assert found.items() >= wanted.items()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_denoiser_is_built_as_its_authors_wrote_down(name: str) -> None:
    """InvokeAI brings the authors' own descriptions; diffusers can read them."""
    path = Path(next(iter(invokeai.__path__))) / "configs" / "stable-diffusion" / ORIGINAL_CONFIGS[name]
    tensors = single_file(FAMILIES[name], weights(empty_parts(FAMILIES[name])))
    original = single_file_utils.fetch_original_config(path, local_files_only=True)
    theirs = single_file_utils.create_unet_diffusers_config_from_ldm(original, tensors)
    ours = dict(UNet2DConditionModel.from_config(FAMILIES[name].unet, torch_device="meta").config)
    differ = {key for key, value in theirs.items() if key in ours and not same(ours[key], value)}
    # The size of pictures is only a default; attention in full precision is not said there.
    assert differ <= {"sample_size", "upcast_attention", "transformer_layers_per_block", "num_class_embeds"}
    vae = single_file_utils.create_vae_diffusers_config_from_ldm(original, tensors)
    assert vae["scaling_factor"] == FAMILIES[name].vae["scaling_factor"]


def same(one: Any, other: Any) -> bool:
    return list(one) == list(other) if isinstance(one, (list, tuple)) else one == other


def test_the_vocabulary_is_that_of_clip(engine: Engine) -> None:
    folder = Path(
        single_file_utils.DIFFUSERS_DEFAULT_PIPELINE_PATHS["xl_base"]["pretrained_model_name_or_path"]
    )
    first = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer")
    second = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer_2")
    ids = [
        49406,
        320,
        1125,
        539,
        550,
        18376,
        6765,
        320,
        4558,
        525,
        7496,
        49407,
    ]  # as OpenAI's tokenizer has them
    assert first("a photo of an astronaut riding a horse on mars").input_ids == ids
    assert (len(first), first.pad_token_id, second.pad_token_id) == (49408, 49407, 0)


@pytest.fixture
def small_family(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The family of the test's parameter, made small, in the place of the real one."""
    name = str(request.param)
    configuration.write_family(tmp_path / "configuration", small(name))
    place = {"pretrained_model_name_or_path": str(tmp_path / "configuration")}
    monkeypatch.setitem(single_file_utils.DIFFUSERS_DEFAULT_PIPELINE_PATHS, name, place)
    monkeypatch.setitem(FAMILIES, name, small(name))
    return name


def write_both(models: Path, name: str) -> tuple[Path, Path]:
    """The same random weights as a single file and as a folder."""
    torch.manual_seed(5)
    family = small(name)
    parts = {part: model.half() for part, model in parts_of(family).items()}
    folder, file = models / "folder", models / "file.safetensors"
    configuration.write_family(folder, family)
    for part, model in parts.items():
        model.save_pretrained(folder / part)
    tensors = single_file(family, weights(parts))
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, file)
    return file, folder


@pytest.mark.parametrize("small_family", FAMILIES, indirect=True)
def test_a_file_is_recognised(engine: Engine, small_family: str, tmp_path: Path) -> None:
    file = tmp_path / "file.safetensors"
    family = small(small_family)
    sparse(file, single_file(family, weights(empty_parts(family))))
    record = probe_model(file)
    assert (record["type"], record["format"]) == ("main", "checkpoint")
    assert (record["base"], record["variant"], record["prediction_type"]) == KINDS[small_family]
    assert str(tmp_path) not in json.dumps(record)


def context_of(models: Path, *records: ModelRecord) -> RecordingContext:
    return RecordingContext("person-a", Gallery(), ListedModels(list(records), models))


def drawn(engine: Engine, context: RecordingContext, job_graph: dict[str, Any]) -> np.ndarray:
    outcome = engine.run(claimed(job_graph), context, never())
    assert outcome.status == "completed", outcome.error_traceback
    return np.asarray(context.load_image(context.pictures()[-1]).convert("RGB"))


@pytest.mark.parametrize("small_family", ["v1", "v2"], indirect=True)
def test_a_file_draws_what_its_folder_draws(engine: Engine, small_family: str, tmp_path: Path) -> None:
    file, folder = write_both(tmp_path, small_family)
    from_file, from_folder = probe_model(file), probe_model(folder)
    context = context_of(tmp_path, from_file, from_folder)
    first = drawn(engine, context, text_to_image(from_file))
    second = drawn(engine, context, text_to_image(from_folder))
    assert np.ptp(first) > 0
    assert (first == second).all()


def xl_graph(record: ModelRecord) -> dict[str, Any]:
    """From a prompt to a picture with XL."""
    size = {"original_width": 64, "original_height": 64, "target_width": 64, "target_height": 64}
    return graph(
        {"id": "model", "type": "sdxl_model_loader", "model": record},
        {"id": "positive", "type": "sdxl_compel_prompt", "prompt": "a heart", "style": "", **size},
        {"id": "noise", "type": "noise", "seed": 1, "width": 64, "height": 64, "use_cpu": True},
        {"id": "denoise", "type": "denoise_latents", "steps": 2, "cfg_scale": 1.0, "scheduler": "euler"},
        {"id": "picture", "type": "l2i", "fp32": True, "is_intermediate": False},
        edges=(
            ("model", "unet", "denoise", "unet"),
            ("model", "clip", "positive", "clip"),
            ("model", "clip2", "positive", "clip2"),
            ("model", "vae", "picture", "vae"),
            ("positive", "conditioning", "denoise", "positive_conditioning"),
            ("positive", "conditioning", "denoise", "negative_conditioning"),
            ("noise", "noise", "denoise", "noise"),
            ("denoise", "latents", "picture", "latents"),
        ),
    )


@pytest.mark.parametrize("small_family", ["xl_base"], indirect=True)
def test_a_file_of_xl_draws_what_its_folder_draws(engine: Engine, small_family: str, tmp_path: Path) -> None:
    file, folder = write_both(tmp_path, small_family)
    records = probe_model(file), probe_model(folder)
    context = context_of(tmp_path, *records)
    first, second = (drawn(engine, context, xl_graph(record)) for record in records)
    assert np.ptp(first) > 0
    assert (first == second).all()


@pytest.mark.parametrize("small_family", ["v1", "xl_base"], indirect=True)
def test_a_file_becomes_a_folder_that_draws_the_same(
    engine: Engine, small_family: str, tmp_path: Path
) -> None:
    file, _ = write_both(tmp_path, small_family)
    before = probe_model(file)
    engine.convert(file, before, tmp_path / "made")
    after = probe_model(tmp_path / "made")
    assert (after["format"], after["base"], after["variant"]) == ("diffusers", before["base"], "normal")
    texts = [path for path in (tmp_path / "made").rglob("*") if path.suffix in (".json", ".txt")]
    assert not [path for path in texts if str(tmp_path.parent.parent) in path.read_text(encoding="utf-8")]
    weighed = sum(path.stat().st_size for path in (tmp_path / "made").rglob("*.safetensors"))
    assert weighed == pytest.approx(file.stat().st_size, rel=0.01)  # the precision stays
    job_graph = text_to_image if small_family == "v1" else xl_graph
    context = context_of(tmp_path, before, after)
    first, second = (drawn(engine, context, job_graph(record)) for record in (before, after))
    assert (first == second).all()


@pytest.mark.parametrize("small_family", ["v1"], indirect=True)
def test_a_folder_says_what_its_denoiser_predicts(engine: Engine, small_family: str, tmp_path: Path) -> None:
    """A file cannot say it; its person can, of the record."""
    file, _ = write_both(tmp_path, small_family)
    engine.convert(file, probe_model(file) | {"prediction_type": "v_prediction"}, tmp_path / "made")
    assert probe_model(tmp_path / "made")["prediction_type"] == "v_prediction"


def test_a_file_that_lacks_a_part_is_refused_by_name(tmp_path: Path) -> None:
    """Of full size, so it is written without values: a header and a hole."""
    tensors = single_file(FAMILIES["v1"], weights(empty_parts(FAMILIES["v1"])))
    cases: dict[str, Callable[[str], bool]] = {
        "it has no picture decoder": lambda name: not name.startswith("first_stage_model."),
        "it has no text encoder": lambda name: not name.startswith("cond_stage_model."),
        "denoiser .unet. is not built as usual": lambda name: "output_blocks.11.0.out_layers" not in name,
    }
    for number, (message, keeps) in enumerate(cases.items()):
        file = tmp_path / f"{number}.safetensors"
        sparse(file, {name: tensor for name, tensor in tensors.items() if keeps(name)})
        with pytest.raises(InvalidInput, match=message):
            probe_model(file)


def test_a_slim_denoiser_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "slim.safetensors"
    slim = small("v1")
    save_file(
        {name: tensor.contiguous() for name, tensor in single_file(slim, weights(parts_of(slim))).items()},
        file,
    )
    with pytest.raises(InvalidInput, match="not built as usual"):
        probe_model(file)


def sparse(file: Path, tensors: Tensors) -> None:
    """A safetensors file of half precision whose values take no room on the disk."""
    header, end = {}, 0
    for name, tensor in tensors.items():
        begin, end = end, end + 2 * math.prod(tensor.shape)
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        out.truncate(8 + len(text) + end)
