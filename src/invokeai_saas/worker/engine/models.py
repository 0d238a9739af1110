"""Models: records from the job's directory, weights from this worker's disk, and no path of it outside.

InvokeAI resolves a record's `path` against its models folder. We keep that folder as a view: a symbolic
link per model, at the model's logical path. So records, events and everything that leaves hold
`models/shared/...` only, while loaders and nodes still find the files by InvokeAI's own rules.
"""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath
from typing import Any

from invokeai.app.services.config import InvokeAIAppConfig
from invokeai.app.services.model_load.model_load_default import ModelLoadService
from invokeai.app.services.model_manager.model_manager_default import ModelManagerService
from invokeai.app.services.model_records.model_records_base import (
    ModelRecordOrderBy,
    ModelRecordServiceBase,
    UnknownModelException,
)
from invokeai.app.services.shared.sqlite.sqlite_common import SQLiteDirection
from invokeai.backend.model_manager.configs.factory import AnyModelConfig, ModelConfigFactory
from invokeai.backend.model_manager.load import LoadedModel, ModelLoaderRegistry
from invokeai.backend.model_manager.load.model_cache.model_cache import ModelCache
from invokeai.backend.model_manager.taxonomy import BaseModelType, ModelFormat, ModelType, SubModelType
from invokeai.backend.util.devices import TorchDevice
from typing_extensions import override

from invokeai_saas.errors import NotFound
from invokeai_saas.worker.contract import ModelRecord
from invokeai_saas.worker.engine.absent import Absent, refuses_the_rest
from invokeai_saas.worker.engine.running import Desk


class ModelView:
    """The folder of links that InvokeAI takes for its models folder."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def place(self, logical_path: str, local_path: Path) -> None:
        """Make a model's files appear at its logical path.

        Raises ValueError for a path that leaves the view.
        """
        logical = PurePosixPath(logical_path)
        if logical.is_absolute() or ".." in logical.parts or not logical.parts:
            raise ValueError("A model's path must be a logical one.")
        link, target = self._root / logical, local_path.resolve()
        if link.resolve() == target:
            return
        if not link.parent.resolve().is_relative_to(self._root):
            raise ValueError("A model can't lie inside another model.")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)


@refuses_the_rest
class ModelStore(ModelRecordServiceBase):  # type: ignore[misc]
    """Read-only model records of the job's person."""

    def __init__(self, desk: Desk, view: ModelView) -> None:
        self._desk, self._view = desk, view

    @override
    def get_model(self, key: str) -> AnyModelConfig:
        try:
            with self._desk.run.outside() as context:
                directory = context.models()
                record = directory.get(key)
                self._view.place(record["path"], directory.local_path(record))
        except NotFound as error:
            raise UnknownModelException(f"The model {key} is not on offer.") from error
        return ModelConfigFactory.from_dict(record)

    @override
    def exists(self, key: str) -> bool:
        with self._desk.run.outside() as context:
            return context.models().exists(key)

    @override
    def search_by_attr(
        self,
        model_name: str | None = None,
        base_model: BaseModelType | None = None,
        model_type: ModelType | None = None,
        model_format: ModelFormat | None = None,
        order_by: ModelRecordOrderBy = ModelRecordOrderBy.Default,
        direction: SQLiteDirection = SQLiteDirection.Ascending,
    ) -> list[AnyModelConfig]:
        with self._desk.run.outside() as context:
            directory = context.models()
            records: list[ModelRecord] = directory.search(
                name=model_name,
                base=base_model.value if base_model else None,
                type=model_type.value if model_type else None,
                format=model_format.value if model_format else None,
            )
            for record in records:
                self._view.place(record["path"], directory.local_path(record))
        return [ModelConfigFactory.from_dict(record) for record in records]


class Loader(ModelLoadService):  # type: ignore[misc]
    """InvokeAI's loader, kept from writing the server's path into the record that goes out in its events."""

    def __init__(self, config: InvokeAIAppConfig, cache: ModelCache) -> None:
        super().__init__(app_config=config, ram_cache=cache, registry=ModelLoaderRegistry)
        self._loaded: dict[str, tuple[Any, ...]] = {}

    @override
    def load_model(
        self,
        model_config: AnyModelConfig,
        submodel_type: SubModelType | None = None,
        user_id: str | None = None,
    ) -> LoadedModel:
        events, person = self._invoker.services.events, user_id or "system"
        self._forget_if_replaced(model_config)
        events.emit_model_load_started(model_config, submodel_type, person)
        private = self._on_disk(model_config)
        implementation, private, submodel_type = self._registry.get_implementation(private, submodel_type)
        loader = implementation(app_config=self._app_config, logger=self._logger, ram_cache=self.ram_cache)
        loaded = loader.load_model(private, submodel_type)
        loaded.config = model_config
        events.emit_model_load_complete(model_config, submodel_type, person)
        return loaded

    def _on_disk(self, config: AnyModelConfig) -> AnyModelConfig:
        """A copy for InvokeAI's loaders, which overwrite its `path` and want its submodels' resolved."""
        private = config.model_copy(deep=True)
        for submodel in (getattr(private, "submodels", None) or {}).values():
            submodel.path_or_prefix = str((self._app_config.models_path / submodel.path_or_prefix).resolve())
        return private

    def _forget_if_replaced(self, config: AnyModelConfig) -> None:
        """Weights are cached by key. A record keeps its key when its files are replaced, and when its person changes
        how they are to be loaded."""
        settings = getattr(config, "default_settings", None)
        state = (config.hash, getattr(config, "cpu_only", None), getattr(settings, "fp8_storage", None))
        if self._loaded.setdefault(config.key, state) != state:
            self.ram_cache.drop_model(config.key)
            self._loaded[config.key] = state


def build_model_manager(desk: Desk, config: InvokeAIAppConfig) -> ModelManagerService:
    """Store, loader and one weight cache for this process's one device. There is no installer."""
    cache = ModelCache(
        execution_device_working_mem_gb=config.device_working_mem_gb,
        enable_partial_loading=config.enable_partial_loading,
        keep_ram_copy_of_weights=config.keep_ram_copy_of_weights,
        max_ram_cache_size_gb=config.max_cache_ram_gb,
        max_vram_cache_size_gb=config.max_cache_vram_gb,
        execution_device=TorchDevice.choose_torch_device(),
        storage_device="cpu",
        logger=logging.getLogger("invokeai_saas.worker.engine.cache"),
    )
    return ModelManagerService(
        store=ModelStore(desk, ModelView(config.models_path)),
        install=Absent("model_manager.install"),
        load=Loader(config, cache),
    )
