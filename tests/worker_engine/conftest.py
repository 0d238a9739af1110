"""One engine for the whole folder: importing InvokeAI takes longer than most tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import invokeai_saas.worker.engine  # noqa: F401 - first, for it takes the model hub's client offline
from invokeai_saas.worker.contract import ModelRecord

from .recording import Gallery, ListedModels, RecordingContext

if TYPE_CHECKING:
    from invokeai_saas.worker.contract import Engine

ENGINE_ONLY = [
    "test_canvas.py",
    "test_checkpoints.py",
    "test_engine.py",
    "test_failures.py",
    "test_guard.py",
    "test_identify.py",
    "test_isolation.py",
    "test_page_request.py",
    "test_policy.py",
    "test_probe.py",
    "test_schemas.py",
    "test_videos.py",
    "test_shipped.py",
]
# The API's environment has no InvokeAI: there only what is free of it runs.
collect_ignore = [] if importlib.util.find_spec("invokeai") else ENGINE_ONLY

MODELS = Path(__file__).parents[2] / "models"

Person = Callable[..., RecordingContext]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The engine, as a worker has it."""
    from invokeai_saas.worker.engine.engine import InvokeAIEngine

    engine = InvokeAIEngine(tmp_path_factory.mktemp("scratch"))
    engine.warm_up()
    return engine


@pytest.fixture(scope="session")
def starter() -> ModelRecord:
    """The record of the starter model that lies in this repository."""
    from invokeai_saas.worker.engine.probe import probe_model

    return probe_model(MODELS / "starter" / "weights", "models/shared/starter/weights")


@pytest.fixture
def person(starter: ModelRecord) -> Person:
    """Makes contexts of people who share one store and, unless told otherwise, the starter model."""
    gallery = Gallery()

    def make(user_id: str = "person-a", records: list[ModelRecord] | None = None) -> RecordingContext:
        visible = [starter] if records is None else records
        return RecordingContext(user_id, gallery, ListedModels(visible, MODELS))

    return make
