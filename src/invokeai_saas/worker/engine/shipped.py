"""What InvokeAI ships for everybody (workflows, style presets, system prompts), exported for the API.

The API has no InvokeAI: it reads the folder that this module writes once, at installation. Workflows and presets are
checked here by InvokeAI's own models, so that the API can hand them on as they are.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from invokeai.app.services.shared.sqlite_migrator.migrations.migration_2026_07_10_create_system_prompts import (
    DEFAULT_SYSTEM_PROMPTS,
)
from invokeai.app.services.style_preset_records.style_preset_records_common import StylePresetWithoutId
from invokeai.app.services.workflow_records.workflow_records_common import WorkflowValidator

from invokeai_saas.errors import SetupError
from invokeai_saas.studio.shipped import CATALOG, PICTURES

_SERVICES = "app/services"
_WORKFLOWS = f"{_SERVICES}/workflow_records/default_workflows"
_THUMBNAILS = f"{_SERVICES}/workflow_thumbnails/default_workflow_thumbnails"  # 6.14.2's package has none
_PRESETS = f"{_SERVICES}/style_preset_records/default_style_presets.json"
_PRESET_IMAGES = f"{_SERVICES}/style_preset_images/default_style_preset_images"


def export_shipped(folder: Path) -> int:
    """Writes what InvokeAI's installed package ships.

    Parameters:
        folder: gets `pictures/`, named by digest, and then the catalogue that names them: who finds the catalogue
            finds everything.

    Returns how many things were written.

    Raises:
        SetupError: the package is not as expected.
    """
    package = _package()
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    catalog = {
        "invokeai_version": version("invokeai"),
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "workflows": [
            _workflow(path, package, folder) for path in sorted((package / _WORKFLOWS).glob("*.json"))
        ],
        "style_presets": _presets(package, folder),
        "system_prompts": [
            {"id": prompt_id, "name": name, "content": content}
            for prompt_id, name, content in DEFAULT_SYSTEM_PROMPTS
        ],
    }
    draft = folder / f".{CATALOG}"
    draft.write_text(json.dumps(catalog, ensure_ascii=False), encoding="utf-8")
    draft.replace(folder / CATALOG)
    return sum(len(part) for part in catalog.values() if isinstance(part, list))


def _package() -> Path:
    spec = find_spec("invokeai")
    if spec is None or not spec.submodule_search_locations:
        raise SetupError("InvokeAI's package is not installed.", "Run `make install`.")
    return Path(spec.submodule_search_locations[0])


def _workflow(path: Path, package: Path, folder: Path) -> dict[str, Any]:
    workflow = WorkflowValidator.validate_json(path.read_bytes())
    if not workflow.id.startswith("default_") or workflow.meta.category != "default":
        raise SetupError(f"{path.name} is no default workflow.", "Install the InvokeAI that the lock names.")
    return {
        "workflow": workflow.model_dump(mode="json"),
        "picture": _picture(package / _THUMBNAILS / f"{workflow.id}.png", folder),
    }


def _presets(package: Path, folder: Path) -> list[dict[str, Any]]:
    found = []
    for entry in json.loads((package / _PRESETS).read_text(encoding="utf-8")):
        preset = StylePresetWithoutId.model_validate(entry)
        found.append(
            {
                # InvokeAI gives these new ids whenever it starts; many processes have to agree on one.
                "id": str(uuid5(NAMESPACE_URL, f"invokeai:style_preset:{preset.name}")),
                "name": preset.name,
                **preset.preset_data.model_dump(),
                "picture": _picture(package / _PRESET_IMAGES / f"{preset.name}.png", folder),
            }
        )
    return found


def _picture(path: Path, folder: Path) -> str | None:
    """Copies a picture; answers its new name, None where there is none."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    name = f"{sha256(content).hexdigest()[:32]}{path.suffix}"
    (folder / PICTURES / name).write_bytes(content)
    return name
