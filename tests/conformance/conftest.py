"""The tests here need InvokeAI's engine environment for its document, and stock InvokeAI to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance import stock

_skipped = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips the comparison where stock InvokeAI is not installed."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    compared = [item for item in here if item.get_closest_marker("stock")]
    missing = not stock.is_installed()
    config.stash[_skipped] = len(compared) if missing else 0
    for item in compared if missing else ():
        item.add_marker(pytest.mark.skip(reason=stock.MISSING))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """A skip among hundreds of dots would be overlooked; this is not."""
    count = config.stash.get(_skipped, 0)
    if count:
        terminalreporter.section("COMPARISON WITH STOCK INVOKEAI SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{count} tests: {stock.MISSING}", red=True)
