"""A single file written as the folder that it could have been."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import diffusers
import torch
from diffusers.loaders import single_file_utils
from safetensors import safe_open

from invokeai_saas.errors import InvalidInput
from invokeai_saas.worker.contract import ModelRecord
from invokeai_saas.worker.engine.checkpoints.configuration import tokenizer_of, write_config
from invokeai_saas.worker.engine.checkpoints.families import FAMILIES
from invokeai_saas.worker.engine.checkpoints.structure import family_name, problem_of, tensors_of

_KEPT = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_PIPELINES = {
    kind.__name__: kind
    for kind in (
        diffusers.StableDiffusionPipeline,
        diffusers.StableDiffusionInpaintPipeline,
        diffusers.StableDiffusionXLPipeline,
        diffusers.StableDiffusionXLInpaintPipeline,
    )
}


def write_folder(path: Path, record: ModelRecord, target: Path) -> None:
    """Writes a checkpoint in diffusers' format, in the precision of its denoiser.

    Parameters:
        path: a single file of Stable Diffusion 1, 2 or XL.
        record: its own; says what its denoiser predicts, which the file does not.
        target: the folder.

    Raises InvalidInput for a file that cannot be loaded.
    """
    problem = problem_of(path)
    if problem is not None:
        raise InvalidInput(("key",), f"This model can't be converted: {problem}.", code="unusable_model")
    name = family_name(tensors_of(path))
    family = FAMILIES[name]
    pipeline_class = _PIPELINES[family.pipeline_class]
    pipeline = pipeline_class.from_single_file(str(path), torch_dtype=_precision(path))
    pipeline.save_pretrained(target, safe_serialization=True)
    # diffusers would write every default of this scheduler, and all others would then take them over.
    scheduler = family.scheduler | {"prediction_type": record["prediction_type"]}
    write_config(target / "scheduler" / "scheduler_config.json", scheduler)
    # transformers writes tokenizers in a form of its own version; these are the ones that every version reads.
    known = Path(single_file_utils.DIFFUSERS_DEFAULT_PIPELINE_PATHS[name]["pretrained_model_name_or_path"])
    for encoder in family.text_encoders:
        tokenizer = tokenizer_of(encoder)
        shutil.rmtree(target / tokenizer, ignore_errors=True)
        shutil.copytree(known / tokenizer, target / tokenizer)


def _precision(path: Path) -> torch.dtype:
    """That of most of the denoiser's tensors; half for one that torch does not compute in."""
    with safe_open(path, framework="pt") as opened:
        names = [name for name in opened.keys() if name.startswith(single_file_utils.LDM_UNET_KEY)]  # noqa: SIM118
        types = Counter(str(opened.get_slice(name).get_dtype()) for name in names)
    return _KEPT.get(types.most_common(1)[0][0], torch.float16)
