"""docs/costs.md holds what the commands print. `WRITE_DOCS=1` with this test writes it anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from invokeai_saas.costs.commands import costs
from invokeai_saas.db import roles
from invokeai_saas.settings import get_settings
from tests.servers import TestDatabase

PAGE = Path(__file__).parents[2] / "docs" / "costs.md"
_PART = re.compile(r"(<!-- invokeai-saas costs (.*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def _printed(arguments: str) -> str:
    answer = CliRunner().invoke(costs, arguments.split(), catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_the_tables_are_what_the_commands_print(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url(roles.API, "postgresql+asyncpg"))
    get_settings.cache_clear()
    try:
        text = PAGE.read_text(encoding="utf-8")
        anew = _PART.sub(lambda part: f"{part[1]}{_printed(part[2])}{part[4]}", text)
    finally:
        get_settings.cache_clear()
    if os.environ.get("WRITE_DOCS"):
        PAGE.write_text(anew, encoding="utf-8")
    assert [part[2] for part in _PART.finditer(text)] == [
        "estimate", "estimate --environment staging", "estimate --environment dev", "forecast", "margins", "reserved",
    ]  # fmt: skip
    assert anew == text or os.environ.get("WRITE_DOCS")
