"""The training package lies beside its model, outside `src`: make it importable for these tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

STARTER = Path(__file__).resolve().parents[2] / "models" / "starter"
sys.path.insert(0, str(STARTER))


@pytest.fixture(scope="session")
def starter() -> Path:
    """The folder of the starter model."""
    return STARTER
