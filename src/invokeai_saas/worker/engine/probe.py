"""Finding models in a folder and saying what they are.

Only formats that hold nothing but weights are taken. A pickle runs code when it is opened, and a worker
that is shared by many people must not.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invokeai.backend.model_manager.configs.base import Checkpoint_Config_Base
from invokeai.backend.model_manager.configs.factory import AnyModelConfig, ModelConfigFactory
from invokeai.backend.model_manager.taxonomy import BaseModelType, ModelType
from pydantic import ValidationError

from invokeai_saas.errors import InvalidInput
from invokeai_saas.worker.contract import SHARED_MODELS, ModelRecord
from invokeai_saas.worker.engine.checkpoints.structure import problem_of

SIDECAR = "model.json"
_WEIGHTS = frozenset({".safetensors", ".gguf"})
_PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl"})
_KEYS = uuid.UUID("5b0ff1b2-6b67-4a51-a1b9-54f2b6a7b7b9")  # namespace of model keys
# Single files of these hold weights alone: how their parts are built is known by family (see `checkpoints`), and for
# the pairs below only the model hub could say it.
_STABLE_DIFFUSION = frozenset(
    {
        BaseModelType.StableDiffusion1,
        BaseModelType.StableDiffusion2,
        BaseModelType.StableDiffusionXL,
        BaseModelType.StableDiffusionXLRefiner,
    }
)
_CONFIGURED_BY_THE_HUB = frozenset(
    {
        (BaseModelType.Anima, ModelType.VAE),
        *itertools.product(_STABLE_DIFFUSION, (ModelType.VAE, ModelType.ControlNet)),
    }
)
# What a job could not use: no node that runs here takes such a model, and the page would offer what then fails.
_NOT_RUN = frozenset(
    {ModelType.TextLLM, ModelType.LlavaOnevision, ModelType.ExternalImageGenerator, ModelType.Unknown}
)
_SIDECAR_FIELDS = ("name", "description", "default_settings", "trigger_phrases")


@dataclass(frozen=True)
class FoundModel:
    """A model in a MODEL_DIR tree.

    Parameters:
        path: its file, or its folder.
        logical_path: where it lies below `models/shared`, as records and the object store say it.
    """

    path: Path
    logical_path: str


@dataclass(frozen=True)
class RefusedModel:
    """A file or folder that looks like a model and is not taken."""

    path: Path
    reason: str


def probe_model(
    path: Path, logical_path: str | None = None, said: Mapping[str, Any] | None = None
) -> ModelRecord:
    """What InvokeAI's model manager makes of a model.

    Parameters:
        path: a model's file or folder.
        logical_path: its path below `models/shared`; made of its name if not given.
        said: fields of the record that a person decides. A `model.json` is not read then: it would be a stranger's.

    Returns InvokeAI's config as JSON with the logical path in the place of the real one and, if there is a
    `model.json` beside or inside the model, with its name, description, default settings and trigger
    phrases. The key depends on the logical path and the content, so the same model has it again at the next
    scan.

    Raises InvalidInput if it is no model that the engine can load, or if `model.json` is wrong.
    """
    logical_path = logical_path or str(SHARED_MODELS / path.name)
    chosen = said if said is not None else _said_beside(path)
    try:
        result = ModelConfigFactory.from_model_on_disk(path, allow_unknown=False)
    except ValueError as error:
        raise _unusable(path, "it holds no weights") from error
    if result.config is None:
        raise _unusable(path, "InvokeAI does not recognise it")
    _refuse_what_cannot_be_loaded(path, result.config)
    record: ModelRecord = _with_logical_paths(result.config.model_dump(mode="json"), str(path), logical_path)
    record["key"] = str(uuid.uuid5(_KEYS, f"{logical_path}:{record['hash']}"))
    record["name"] = path.stem if path.is_file() else path.name
    record |= chosen
    try:
        config: AnyModelConfig = ModelConfigFactory.from_dict(record)
    except ValidationError as error:
        place = SIDECAR if said is None else "What was said"
        raise InvalidInput((SIDECAR,), f"{place} of {record['name']}: {error.errors()[0]['msg']}") from error
    if config.type in _NOT_RUN:
        raise _unusable(path, f"models of type {config.type.value} are not run here")
    return dict(config.model_dump(mode="json"))


def scan_folder(model_dir: Path) -> Iterator[FoundModel | RefusedModel]:
    """All models of a MODEL_DIR tree, in order of their paths.

    A model is a diffusers or transformers folder, or a single .safetensors or .gguf file. Links are not
    followed out of the tree.
    """
    root = model_dir.resolve()
    yield from _scan(root, root)


def _scan(folder: Path, root: Path) -> Iterator[FoundModel | RefusedModel]:
    if folder != root and _is_model_folder(folder):
        pickle = _lone_pickle(folder)
        if pickle is None:
            yield _found(folder, root)
        else:
            yield RefusedModel(
                folder, f"{pickle.name} is a pickle, which can run code; save it as safetensors."
            )
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or not entry.resolve().is_relative_to(root):
            continue
        suffix = entry.suffix.lower()
        if entry.is_dir():
            yield from _scan(entry, root)
        elif suffix in _WEIGHTS:
            yield _found(entry, root)
        elif suffix in _PICKLES:
            yield RefusedModel(entry, "It is a pickle, which can run code; save it as safetensors.")


def _found(path: Path, root: Path) -> FoundModel:
    return FoundModel(path, str(SHARED_MODELS / path.relative_to(root).as_posix()))


def _is_model_folder(folder: Path) -> bool:
    if (folder / "model_index.json").is_file():
        return True
    weights_here = any(entry.suffix.lower() in _WEIGHTS | _PICKLES for entry in folder.iterdir())
    return weights_here and (folder / "config.json").is_file()


def _lone_pickle(folder: Path) -> Path | None:
    """A pickle that a loader would open, because no safetensors file lies in the same folder."""
    for entry in sorted(folder.rglob("*")):
        if entry.suffix.lower() in _PICKLES and not any(entry.parent.glob("*.safetensors")):
            return entry
    return None


def _said_beside(path: Path) -> Mapping[str, Any]:
    sidecar = _sidecar_of(path)
    return {name: sidecar[name] for name in _SIDECAR_FIELDS if sidecar.get(name)}


def _sidecar_of(path: Path) -> Mapping[str, Any]:
    """What `model.json` says: inside the model's folder, or beside the model with a `path` that names it."""
    inside, beside = path / SIDECAR, path.parent / SIDECAR
    for file in (inside, beside):
        if not file.is_file():
            continue
        try:
            sidecar = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InvalidInput((SIDECAR,), f"The {SIDECAR} of {path.name} is not JSON.") from error
        if not isinstance(sidecar, dict):
            raise InvalidInput((SIDECAR,), f"The {SIDECAR} of {path.name} must be an object.")
        if file is inside or sidecar.get("path") == path.name:
            return sidecar
    return {}


def _with_logical_paths(value: Any, real: str, logical: str) -> Any:
    """A JSON value in which every path of the model's, submodels' included, is its logical one."""
    if isinstance(value, dict):
        return {key: _with_logical_paths(item, real, logical) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_logical_paths(item, real, logical) for item in value]
    if isinstance(value, str) and (value == real or value.startswith(f"{real}/")):
        return logical + value[len(real) :]
    return value


def _refuse_what_cannot_be_loaded(path: Path, config: AnyModelConfig) -> None:
    """Single files whose parts diffusers would not know how to build, or that lack some of them."""
    if not isinstance(config, Checkpoint_Config_Base):
        return
    if (config.base, config.type) in _CONFIGURED_BY_THE_HUB:
        raise _unusable(path, "a single file of its kind needs the model hub to load; convert it to a folder")
    if config.base in _STABLE_DIFFUSION and config.type == ModelType.Main:
        problem = problem_of(path)
        if problem is not None:
            raise _unusable(path, problem)


def _unusable(path: Path, why: str) -> InvalidInput:
    return InvalidInput(("path",), f"{path.name} can't be offered: {why}.")
