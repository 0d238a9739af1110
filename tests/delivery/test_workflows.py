"""The workflows, read: rights, pins, and that what they call is there. actionlint and zizmor look at the rest."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker.dockerfiles import ROOT

_FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(_FOLDER.glob("*.yml"))
_PIN = re.compile(r"uses: (\S+)@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def _parsed(file: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(file.read_text())
    return found


def _steps(file: Path) -> Iterator[dict[str, Any]]:
    for job in _parsed(file)["jobs"].values():
        yield from job.get("steps", [])


def _commands(file: Path) -> Iterator[list[str]]:
    for step in _steps(file):
        for line in step.get("run", "").replace("\\\n", " ").splitlines():
            yield re.sub(r'["();]', " ", line).split()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_actions_are_named_by_commit(file: Path) -> None:
    for line in file.read_text().splitlines():
        if "uses:" in line and "/.github/workflows/" not in line:
            assert _PIN.search(line), line


def test_one_commit_for_each_action() -> None:
    pins = set(re.findall(r"uses: (\S+@\S+)", "\n".join(file.read_text() for file in FILES)))
    assert len(pins) == len({pin.partition("@")[0] for pin in pins})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_rights_are_given_job_by_job_and_few(file: Path) -> None:
    workflow = _parsed(file)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert set(job["permissions"].items()) <= {("contents", "read"), ("id-token", "write")}
        if "uses" not in job:
            assert job["timeout-minutes"] > 0


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_pull_request_comes_near_aws(file: Path) -> None:
    events = _parsed(file)[True]  # what YAML makes of `on`
    assert "pull_request_target" not in events
    if "pull_request" in events:
        assert "id-token" not in file.read_text()
        assert "secrets." not in file.read_text()
    assert "aws-access-key-id" not in file.read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_checked_out_tokens_do_not_stay(file: Path) -> None:
    for step in _steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_called_is_there(file: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in _commands(file):
        if words[:1] == ["make"]:
            assert set(words[1:]) <= targets
        if words[:1] == ["bash"]:
            assert (ROOT / words[1]).is_file(), words
        for name in words:
            if re.fullmatch(r"(requirements|docker)/\S+", name) and "$" not in name:
                assert (ROOT / name).exists(), name


def test_each_step_of_delivery_is_a_command() -> None:
    text = "\n".join(file.read_text() for file in FILES)
    called = set(re.findall(r"-m infra\.delivery ([a-z-]+)", text))
    assert called == {"digest", "scan", "migrate", "running", "release", "workers", "restore-drill"}
    for command in called:
        asked = [sys.executable, "-m", "infra.delivery", command, "--help"]
        subprocess.run(asked, cwd=ROOT, capture_output=True, check=True, timeout=120)


def test_each_image_is_built_once_and_production_gets_stagings_digests() -> None:
    jobs = _parsed(_FOLDER / "deploy.yml")["jobs"]
    assert "docker buildx build" not in (_FOLDER / "release.yml").read_text()
    assert "staging" in jobs["production"]["needs"]
    for name in ("staging", "production"):
        given = jobs[name]["with"]
        assert given["environment"] == name
        assert given["api"] == "${{ needs.build.outputs.api }}"
        assert given["worker"] == "${{ needs.build.outputs.worker }}"


def test_what_fails_end_to_end_goes_back_to_what_ran_before() -> None:
    steps = list(_steps(_FOLDER / "release.yml"))
    names = [step.get("id") or step.get("run", "") for step in steps]
    assert names.index("before") < names.index("release") < names.index("invokeai-saas e2e")
    back = [
        step
        for step in steps
        if str(step.get("if", "")).startswith("failure() && steps.release.outcome == 'success'")
    ]
    assert [step["run"].split()[3] for step in back] == ["release", "workers"]
    assert back[0]["env"]["IMAGES"] == "${{ steps.before.outputs.api }}"
    assert back[1]["env"]["WORKER_IMAGE"] == "${{ steps.before.outputs.worker }}"


def test_migrations_come_before_code_and_the_test_after_it() -> None:
    text = (_FOLDER / "release.yml").read_text()
    order = ["infra/delivery/promote", "delivery migrate", "delivery release", "invokeai-saas e2e"]
    assert [text.index(step) for step in order] == sorted(text.index(step) for step in order)


@pytest.mark.parametrize(
    "file", [*FILES, *(ROOT / "docker").glob("*"), ROOT / "compose.yaml"], ids=lambda f: f.name
)
def test_nothing_is_latest(file: Path) -> None:
    assert ":latest" not in file.read_text()
