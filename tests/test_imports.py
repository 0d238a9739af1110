"""What the processes load: the API never sees torch, InvokeAI or a synchronous driver's engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORBIDDEN = (
    "torch",
    "torchvision",
    "invokeai",
    "diffusers",
    "transformers",
    "numpy",
    "invokeai_saas.worker.engine",
)


def _loaded_after(statement: str) -> set[str]:
    script = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import invokeai_saas.api; invokeai_saas.api.create_app()",
        "import invokeai_saas.scheduler.loop",
        "import invokeai_saas.worker.loop, invokeai_saas.worker.mock",
        "import invokeai_saas.cli",
    ],
)
def test_torch_is_loaded_by_the_engine_alone(statement: str) -> None:
    loaded = _loaded_after(statement)
    assert [name for name in FORBIDDEN if name in loaded] == []


def test_torch_cannot_be_imported_here_at_all() -> None:
    for module in ("torch", "invokeai"):
        with pytest.raises(ModuleNotFoundError):
            __import__(module)
