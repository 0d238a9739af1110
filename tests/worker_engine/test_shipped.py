"""What InvokeAI ships, as it is exported for the API."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from invokeai_saas.studio.shipped import CATALOG, PICTURES, Shipped
from invokeai_saas.worker.engine.shipped import export_shipped


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "library"
    export_shipped(folder)
    return folder


def _catalog(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / CATALOG).read_text(encoding="utf-8")))


def test_everything_that_invokeai_ships_is_there(folder: Path) -> None:
    import invokeai.app.services as services

    package = Path(next(iter(services.__path__)))
    shipped = Shipped(folder)
    files = list((package / "workflow_records" / "default_workflows").glob("*.json"))
    assert len(shipped.workflows) == len(files) >= 20
    presets = json.loads((package / "style_preset_records" / "default_style_presets.json").read_text())
    assert [preset.name for preset in shipped.presets.values()] == [preset["name"] for preset in presets]
    assert len(shipped.prompts) >= 8


def test_workflows_are_as_invokeai_would_answer_them(folder: Path) -> None:
    from invokeai.app.services.workflow_records.workflow_records_common import Workflow

    for found in Shipped(folder).workflows.values():
        assert Workflow.model_validate(found.workflow).model_dump(mode="json") == found.workflow
        assert found.workflow["meta"]["category"] == "default"


def test_pictures_are_named_by_what_is_in_them(folder: Path) -> None:
    pictures = Shipped(folder).pictures()
    assert len(pictures) >= 18  # InvokeAI 6.14.2 has one for each preset, and none for a workflow
    for key, file in pictures.items():
        assert key.startswith("system/")
        assert file.name == f"{sha256(file.read_bytes()).hexdigest()[:32]}.png"
    assert {file.name for file in (folder / PICTURES).iterdir()} == {file.name for file in pictures.values()}


def test_another_export_is_the_same_but_for_its_time(folder: Path, tmp_path: Path) -> None:
    export_shipped(tmp_path)
    first, second = _catalog(folder), _catalog(tmp_path)
    assert first.pop("exported_at") <= second.pop("exported_at")
    assert first == second
