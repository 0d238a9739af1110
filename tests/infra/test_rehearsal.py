"""The infrastructure's rehearsal: a small module goes through it here, all of an environment every night."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal import cloud, comparison
from infra.rehearsal.comparison import Change, unexpected
from infra.rehearsal.known import DEGREES, Difference, Kept, Known, Pattern, Refusal, read
from infra.rehearsal.rehearsal import HERE, MODULES, Rehearsed, counted, degrees, rehearse
from infra.rehearsal.terraform import Missing, Terraform
from tests.aws import Aws

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="SKIPPED: terraform is not installed; nothing was applied"
)

# Two secrets and nothing else: the other modules make Terraform wait for what moto has at once.
ROOT_MODULE = """
module "secrets" {
  source = "./modules/secrets"

  environment = "staging"
  kms_key_arn = "arn:aws:kms:${local.region}:${local.account}:key/00000000-0000-0000-0000-000000000000"
  names       = ["database-url", "redis-url"]
}
"""


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    """A server of its own: others' secrets would be left over."""
    with cloud.started(tmp_path / "moto.log") as server:
        yield server


def rehearsed(folder: Path, aws: Aws, known: Known, meddle: Callable[[], None]) -> Rehearsed:
    """Rehearses two secrets, with something done to them between apply and plan."""
    shutil.copy(HERE / "environment" / "providers.tf", folder)
    shutil.copytree(MODULES / "secrets", folder / "modules" / "secrets")
    (folder / "main.tf").write_text(ROOT_MODULE)
    try:
        terraform = Terraform.prepared(folder, aws.url)
    except Missing as why:
        pytest.skip(f"SKIPPED: {why}")
    return rehearse(terraform, known, lambda stage: meddle() if stage == "planning again" else None)


@needs_terraform
def test_a_module_is_applied_planned_again_compared_and_destroyed(tmp_path: Path, aws: Aws) -> None:
    secrets = aws.client("secretsmanager")
    seen: list[str] = []

    def meddle() -> None:
        seen.extend(one["Name"] for one in secrets.list_secrets()["SecretList"])
        secrets.update_secret(SecretId="invokeai/staging/redis-url", Description="somebody's")

    address = 'module.secrets.aws_secretsmanager_secret.this["redis-url"]'
    listed = Difference((Pattern(address),), "update", frozenset({"description"}), "a test")
    known = Known({"secrets": "whole"}, differences=(listed,))
    done = rehearsed(tmp_path, aws, known, meddle)
    assert sorted(seen) == ["invokeai/staging/database-url", "invokeai/staging/redis-url"]
    assert done.problems == []
    assert done.rows == {"secrets": (2, 2, 1)}
    assert done.left == []
    assert list(cloud.leftovers(aws)) == []

    # The same plan, held to lists that do not fit it.
    assert unexpected(done.refused, done.changed, replace(known, differences=())) == [
        f"would be changed again, and is not on the list: {address}: update description"
    ]
    stale = Difference((Pattern("module.secrets.*"),), "update", frozenset({"kms_key_id"}), "a test")
    assert unexpected(done.refused, done.changed, replace(known, differences=(listed, stale))) == [
        "on the list, and would not be changed so: module.secrets.*: update kms_key_id"
    ]


def test_without_terraform_it_says_so_and_passes_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.rehearsal"],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert done.stdout == "SKIPPED: terraform is not installed. NOTHING WAS APPLIED.\n"


def test_every_module_is_on_the_list_and_every_line_has_its_reason() -> None:
    known = read()
    assert known.modules.keys() == {folder.name for folder in MODULES.iterdir() if folder.is_dir()}
    assert set(known.modules.values()) <= set(DEGREES)
    lines: list[Refusal | Difference | Kept] = [*known.refusals, *known.differences, *known.kept]
    for line in lines:
        assert len(line.why) > 10
        assert line.resources
    for told in (HERE / "overrides").glob("*.tf"):
        assert told.stem in known.modules


def test_the_list_of_the_documentation_is_the_one_that_is_held_to() -> None:
    known = read()
    text = Path("docs/infrastructure.md").read_text()
    for degree in DEGREES:
        line = next(line for line in text.splitlines() if line.startswith(f"| {degree} |"))
        named = {name.strip(" `") for name in line.split("|")[2].split(",")} - {""}
        assert named == {module for module, is_served in known.modules.items() if is_served == degree}


def test_a_module_that_is_served_less_or_more_than_the_list_says_is_told() -> None:
    seen = {"a": (3, 3, 1), "b": (3, 1, 0), "c": (3, 0, 0)}
    assert list(degrees(seen, Known({"a": "whole", "b": "part", "c": "none"}))) == []
    assert list(degrees(seen, Known({"a": "part", "b": "part", "d": "none"}))) == [
        "a: the list says 'part', and it was 'whole'",
        "c: the list says None, and it was 'none'",
        "d: the list says 'none', and it was None",
    ]


def test_resources_are_counted_by_the_folder_of_their_module() -> None:
    inner = {"gpu": {"source": "../gpu-group", "module": {}}}
    outer = {"stack": {"source": "./modules/stack", "module": {"module_calls": inner}}}
    group = 'module.stack.module.gpu["basic"]'
    resources = [
        {"address": f"{group}.aws_x.this", "module_address": group, "mode": "managed"},
        {"address": f"{group}.aws_y.this", "module_address": group, "mode": "managed"},
        {"address": f"{group}.data.aws_z.this", "module_address": group, "mode": "data"},
        {"address": "module.stack.aws_x.this", "module_address": "module.stack", "mode": "managed"},
        {"address": "aws_route53_zone.this", "mode": "managed"},
    ]
    found = {"configuration": {"root_module": {"module_calls": outer}}, "resource_changes": resources}
    changed = {'module.gpu["basic"].aws_x.this': Change("create"), "aws_x.this": Change("update")}
    assert counted(found, changed) == {"gpu-group": (2, 1, 0), "stack": (1, 1, 1)}


def plan(*resources: tuple[str, list[str], Any, Any, Any]) -> dict[str, Any]:
    return {
        "resource_changes": [
            {
                "address": address,
                "change": {"actions": actions, "before": before, "after": after, "after_unknown": unknown},
            }
            for address, actions, before, after, unknown in resources
        ]
    }


def test_changes_are_named_by_attribute_and_what_stays_is_not() -> None:
    before = {"rule": [{"days": 7, "id": "a"}], "name": "x", "arn": "arn", "tags": {"A": "1"}, "list": [1]}
    after = {"rule": [{"days": 8, "id": "a"}], "name": "x", "tags": {"A": "1", "B": "2"}, "list": [1, 2]}
    found = comparison.changes(
        plan(
            ("module.stack.module.a.aws_x.this", ["update"], before, after, {"arn": True}),
            ("module.state.aws_y.this", ["no-op"], {"a": 1}, {"a": 1}, {}),
            ("data.aws_z.this", ["read"], None, {"a": 1}, {}),
            ("aws_z.this", ["create"], None, {"a": 1}, {"b": True}),
        )
    )
    assert found == {
        "module.a.aws_x.this": Change("update", frozenset({"rule[0].days", "arn", "tags.B", "list"})),
        "aws_z.this": Change("create"),
    }


def test_refusals_are_held_to_the_list_by_resource_and_by_words() -> None:
    known = Known(
        {}, (Refusal((Pattern("aws_x.*"),), "not implemented", "a test", (Pattern("aws_y.this"),)),)
    )
    made = {"aws_x.a": Change("create"), "aws_y.this": Change("create")}
    assert unexpected({"aws_x.a": "501 not implemented"}, made, known) == []
    assert unexpected({"aws_x.a": "denied"}, made, known) == [
        "refused, and not on the list: aws_x.a: denied",
        "on the list as refused with 'not implemented', and was not: aws_x.*",
    ]
    assert unexpected({"aws_x.a": "not implemented"}, made | {"aws_z.b": Change("create")}, known) == [
        "would be changed again, and is not on the list: aws_z.b: create"
    ]
    assert unexpected({"aws_x.a": "not implemented"}, {"aws_x.a": Change("create")}, known) == [
        "on the list, and would not be changed so: aws_y.this: create"
    ]


def test_the_right_resource_with_another_attribute_is_not_the_difference_that_is_listed() -> None:
    known = Known({}, (), (Difference((Pattern('aws_x.this["*"]'),), "update", frozenset({"a"}), "a test"),))
    assert unexpected({}, {'aws_x.this["k"]': Change("update", frozenset({"a"}))}, known) == []
    assert len(unexpected({}, {'aws_x.this["k"]': Change("update", frozenset({"a", "b"}))}, known)) == 2
    assert len(unexpected({}, {"aws_x.that": Change("update", frozenset({"a"}))}, known)) == 2
