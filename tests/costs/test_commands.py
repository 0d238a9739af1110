"""`invokeai-saas costs ...`, as an operator calls it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from invokeai_saas.costs.commands import costs
from invokeai_saas.db import roles
from invokeai_saas.errors import SetupError
from invokeai_saas.settings import get_settings
from tests.servers import TestDatabase


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No service runs here, and no setting is remembered."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def _run(*arguments: str) -> str:
    answer = CliRunner().invoke(costs, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_the_estimate_is_printed() -> None:
    text = _run("estimate")
    assert "us-east-1 on 2026-08-26" in text
    assert "NAT gateways" in text
    assert "23,922.10" in text


def test_json_says_what_the_table_says() -> None:
    found = json.loads(_run("estimate", "--environment", "dev", "--json"))
    assert found["environment"] == "dev"
    total = sum(float(line["usd"]) for line in found["lines"] if not line["optional"])
    assert total == pytest.approx(float(found["total_usd"]), abs=0.01)


def test_a_forecast_has_a_column_for_each_size() -> None:
    head = _run("forecast", "--users", "100,1000").splitlines()[2]
    assert [cell.strip() for cell in head.strip("|").split("|")] == ["daily users", "100", "1,000"]
    assert [one["daily_users"] for one in json.loads(_run("forecast", "--users", "7", "--json"))] == [7]


@pytest.mark.parametrize("users", ["", "0", "many", "100,-1", "10000001"])
def test_no_forecast_for_no_number(users: str) -> None:
    with pytest.raises(SetupError, match="no list of numbers"):
        _run("forecast", "--users", users)


def test_reserved_names_both_regions() -> None:
    text = _run("reserved")
    assert "ap-northeast-2" in text
    assert len(json.loads(_run("reserved", "--json"))["commitments"]) == 6


def test_margins_want_to_know_what_is_sold() -> None:
    with pytest.raises(SetupError, match="Neither a database nor a file") as found:
        _run("margins")
    assert "--plans" in found.value.remedy


def test_margins_read_the_rows_as_the_api_does_and_a_file_of_them_alike(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url(roles.API, "postgresql+asyncpg"))
    of_rows, plans = _run("margins"), _run("plans")
    assert "182.1%" in of_rows
    (tmp_path / "plans.json").write_text(plans)
    monkeypatch.delenv("DATABASE_URL")
    get_settings.cache_clear()
    assert _run("margins", "--plans", "plans.json") == of_rows
    found = json.loads(_run("margins", "--plans", "plans.json", "--json"))
    assert {one["tier"]: one["break_even"] for one in found["tiers"]} == {
        "basic": "0.0292", "high_performance": "0.0559", "dedicated": "0.2276",
    }  # fmt: skip


@pytest.mark.parametrize("share", ["0", "1.1", "-1", "half", "NaN", ""])
def test_a_utilisation_is_a_share(share: str) -> None:
    with pytest.raises(SetupError, match="no utilisation"):
        _run("margins", "--utilisation", share)


@pytest.mark.parametrize("content", ["", "{}", '{"tiers": [], "plans": [{}], "packs": []}'])
def test_a_file_of_something_else_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "plans.json").write_text(content)
    with pytest.raises(SetupError, match="cannot be read as plans"):
        _run("margins", "--plans", "plans.json")
