"""docs/infrastructure.md names a resource and a test for every requirement that infrastructure meets: they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TERRAFORM = Path("infra/terraform")
SECTIONS = ("4", "5", "7", "8", "9", "11")
CODE = "\n".join(
    path.read_text() for path in sorted(TERRAFORM.glob("**/*.tf")) if ".terraform/" not in str(path)
)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in Path("docs/infrastructure.md").read_text().splitlines()
    if re.match(r"\| R\d+\.\d+", line)
]


def known_requirements() -> set[str]:
    found = re.findall(r"^\| (R(\d+)\.\d+) \|", Path("docs/requirements.md").read_text(), re.M)
    return {number for number, section in found if section in SECTIONS}


def test_every_requirement_has_its_row() -> None:
    named = [row[0] for row in ROWS]
    assert set(named) == known_requirements()


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{i}" for i, row in enumerate(ROWS)])
def test_what_a_row_names_exists(row: list[str]) -> None:
    _, says, resources, tests = row
    assert says
    for kind, name in re.findall(r"`(aws_\w+)\.(\w+)`", resources):
        assert re.search(rf'resource "{kind}" "{name}"', CODE), f"{kind}.{name}"
    checks = re.findall(r"`([^`]+)`", tests)
    if not checks:
        assert tests.startswith("not "), "a row without a test says so"
    for check in checks:
        assert exists(check), check


def exists(check: str) -> bool:
    """`module: run` is a run of Terraform's tests; `path::function` one of ours; anything else a path."""
    if run := re.fullmatch(r"([\w-]+): (\w+)", check):
        files = [
            *TERRAFORM.glob(f"*/{run[1]}/tests/*.tftest.hcl"),
            *TERRAFORM.glob(f"{run[1]}/tests/*.tftest.hcl"),
        ]
        return any(f'run "{run[2]}"' in file.read_text() for file in files)
    path, _, function = check.partition("::")
    file = Path(path) if Path(path).exists() else Path("tests") / path
    return file.exists() and (function in ("", "*") or f"def {function}(" in file.read_text())
