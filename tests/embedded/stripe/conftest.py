from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stripe_server import LocalStripe, local_stripe


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalStripe]:
    with local_stripe(tmp_path) as running:
        yield running
