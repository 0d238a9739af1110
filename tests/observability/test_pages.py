"""What operators read names only what exists: pages, commands, figures; and every alarm has its page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from prometheus_client import CollectorRegistry

from infra.delivery.__main__ import app as delivery
from invokeai_saas.api import _routers
from invokeai_saas.cli import app as commands
from invokeai_saas.db.roles import API, WORKER
from invokeai_saas.observability.metrics import ApiMetrics, JobMetrics, QueueMetrics

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = [*sorted(RUNBOOKS.glob("*.md")), ROOT / "docs" / "operations.md", ROOT / "docs" / "watching.md"]
RULES: dict[str, Any] = yaml.safe_load((ROOT / "infra" / "prometheus" / "rules.yml").read_text())
ROLES = (API, WORKER)
GPU = {"invokeai_gpu_utilisation_ratio", "invokeai_gpu_memory_used_bytes"}
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]


def _figures() -> set[str]:
    """Names of all time series that we have."""
    names: set[str] = set()
    api, queue, jobs = ApiMetrics(), QueueMetrics(), JobMetrics()
    registries: list[CollectorRegistry] = [api.registry, queue.registry, jobs.registry]
    for registry in registries:
        names |= set(registry._names_to_collectors)
    return names


def test_every_alarm_of_the_infrastructure_has_a_page() -> None:
    module = ROOT / "infra" / "terraform" / "modules" / "monitoring"
    text = "".join(file.read_text() for file in sorted(module.glob("*.tf")))
    named = set(re.findall(r"^      ([a-z0-9-]+) = \{$", text, re.MULTILINE))
    named |= {name.rstrip("-") for name in re.findall(r'"([a-z-]+)\$\{', text) if name.endswith("-")}
    assert {"api-errors", "api-p99", "queue-depth", "aurora-acu", "redis-memory", "s3-errors"} <= named
    pages = {page.stem for page in RUNBOOKS.glob("*.md")}
    assert named | {"low-credits"} <= pages
    listed = set(re.findall(r"\]\(([a-z0-9-]+)\.md\)", (RUNBOOKS / "README.md").read_text()))
    assert listed == pages - {"README"}


def test_every_rule_has_a_severity_and_a_page_that_exists() -> None:
    assert len(ALERTS) >= 6
    for alert in ALERTS:
        assert alert["labels"]["severity"] in ("critical", "high", "medium")
        assert (ROOT / alert["annotations"]["runbook"]).is_file()


def test_rules_ask_for_figures_that_we_have() -> None:
    figures = _figures()
    recorded = {rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule}
    for rule in (rule for group in RULES["groups"] for rule in group["rules"]):
        asked = set(re.findall(r"\b(?:invokeai|slo)[a-z0-9_:]+", rule["expr"]))
        assert asked or rule["record"] == "slo:error_budget"
        assert asked <= figures | recorded, asked - figures - recorded


def test_bounds_in_rules_are_bounds_of_the_histograms() -> None:
    api, jobs = ApiMetrics(), JobMetrics()
    api.answered({"method": "GET"}, 200, 0.1)
    jobs.claimed("basic", 1)
    bounds = {
        sample.labels["le"]
        for registry in (api.registry, jobs.registry)
        for family in registry.collect()
        for sample in family.samples
        if "le" in sample.labels
    }
    used = set(re.findall(r'le="([^"]+)"', (ROOT / "infra" / "prometheus" / "rules.yml").read_text()))
    assert used and used <= bounds


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_rules_as_prometheus_reads_them() -> None:
    folder = ROOT / "infra" / "prometheus"
    for arguments in (["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]):
        ran = subprocess.run(
            ["promtool", *arguments], cwd=folder, capture_output=True, text=True, timeout=120
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_commands_and_pages_exist(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link
    for app, program in ((commands, "invokeai-saas"), (delivery, r"python -m infra\.delivery")):
        for words in re.findall(rf"`{program} ([a-z0-9 -]+)`", text):
            _require(typer.main.get_command(app), words.split())
    routes = _paths()
    for path in re.findall(r"(?<![\w.])(/admin[a-z/]*)", text):
        assert path in routes, path
    known = _figures() | GPU | set(ROLES)
    for name in re.findall(r"`(invokeai_[a-z0-9_]+)", text):
        assert name in known, name


def _paths() -> set[str]:
    return {getattr(route, "path", "") for router in _routers() for route in router.routes}


def _require(command: Any, words: list[str]) -> None:
    """The words name a command, with options that it has."""
    for word in words:
        if word.startswith("--"):
            assert any(word in parameter.opts for parameter in command.params), words
        elif hasattr(command, "commands"):
            assert word in command.commands, words
            command = command.commands[word]
    assert not hasattr(command, "commands"), words
