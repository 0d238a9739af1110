"""docs/deploy.md: each block says how it is known to work, and all that a stand-in for AWS can answer is run.

The stand-in is moto's server, whose ECS runs the tasks' commands here, on a PostgreSQL of this file's own. Terraform
plans for real; what it would apply is not applied here, but put into the stand-in by hand.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from invokeai_saas.embedded.servers import EmbeddedServers
from tests.aws import aws_within
from tests.infra.deploypage import PAGE, Block, blocks, commands, listed
from tests.infra.standin import BUCKET, FAMILIES, SECRETS, STACK, Account, pipeline_variables, tasks_that_run
from tests.infra.walk import Walk

TEXT = PAGE.read_text()
BLOCKS = blocks(TEXT)
_NEEDED = ("terraform", "aws", "jq", "curl", "openssl", "git")
_MISSING = [name for name in _NEEDED if shutil.which(name) is None]
# Commands of AWS's command line that are no operation of a service.
_OWN = {
    ("s3", "sync"), ("s3", "ls"), ("configure", "sso"), ("sso", "login"), ("ecr", "get-login-password"),
    ("logs", "tail"), ("ssm", "start-session"),
}  # fmt: skip
_EVERYWHERE = {"query", "output", "profile"}
needs_tools = pytest.mark.skipif(
    bool(_MISSING),
    reason=f"SKIPPED: {', '.join(_MISSING)} is not installed; NO COMMAND OF docs/deploy.md WAS RUN",
)


def _ids(found: list[Block]) -> list[str]:
    return [block.name for block in found]


# What the page says of itself


def test_each_block_is_marked_once() -> None:
    assert len(set(_ids(BLOCKS))) == len(BLOCKS) >= 40


@pytest.mark.parametrize(
    "broken", ["", "<!-- step: x; proven: hearsay -->", "<!-- step: x; moto -->", "text"]
)
def test_a_block_without_a_mark_is_noticed(broken: str) -> None:
    with pytest.raises(ValueError, match="mark"):
        blocks(f"{broken}\n```bash\ntrue\n```\n")


def test_the_list_at_the_end_is_that_of_the_blocks() -> None:
    assert listed(TEXT) == [f"{block.only} (`{block.name}`)" for block in BLOCKS if block.only]


@pytest.mark.parametrize("block", BLOCKS, ids=_ids(BLOCKS))
def test_each_block_is_a_script(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.code, text=True, check=True, timeout=120)


# What it names is there, in blocks too that nothing here can answer


@cache
def _operations(service: str) -> dict[str, set[str]]:
    model = botocore.session.get_session().get_service_model("s3" if service == "s3api" else service)
    found = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        members = shape.members if shape else {}
        found[xform_name(name, "-")] = {xform_name(member, "-") for member in members}
    return found


@pytest.mark.parametrize("block", BLOCKS, ids=_ids(BLOCKS))
def test_commands_of_aws_are_commands(block: Block) -> None:
    for service, operation, *words in commands(block.code, "aws"):
        if service in ("terraform",) or (service, operation) in _OWN:
            continue
        if operation == "wait":
            assert words[0] in {xform_name(waiter, "-") for waiter in _waiters(service)}
            continue
        known = _operations(service)[operation] | _EVERYWHERE
        for word in words:
            if word.startswith("--"):
                assert word[2:] in known or word.removeprefix("--no-") in known, f"{operation} {word}"


def _waiters(service: str) -> list[str]:
    return list(botocore.session.get_session().get_waiter_model(service).waiter_names)


def test_tasks_outputs_variables_and_alarms_are_those_of_terraform() -> None:
    code = "\n".join(block.code for block in BLOCKS)
    outputs = {p.parent.name: p.read_text() for p in STACK.parent.parent.glob("*/*/outputs.tf")}
    outputs["bootstrap"] = (STACK.parent.parent / "bootstrap" / "outputs.tf").read_text()
    for folder, name in re.findall(r'-chdir="?\$(\w+)"? output (?:-\w+ )?(\w+)', code):
        said = outputs["bootstrap" if folder == "BOOTSTRAP" else "dev"]
        assert f'output "{name}"' in said, name
    tasks = {words[3] for words in commands(code, "python") if words[:3] == ["-m", "infra.delivery", "task"]}
    assert (
        {"invokeai-roles", "invokeai-migrate", "invokeai-models", "invokeai-scheduler"}
        == tasks
        <= set(FAMILIES)
    )
    for target in re.findall(r"-target=module\.stack\.module\.(\w+)", code):
        assert any(f'module "{target}"' in path.read_text() for path in STACK.glob("*.tf")), target
    made = set(re.findall(r"\b([A-Z][A-Z0-9_]+)=", code)) | {"PWD", "PATH"}
    used = set(re.findall(r"\$\{?([A-Z][A-Z0-9_]+)", code))
    assert used <= made | set(pipeline_variables()), used - made - set(pipeline_variables())
    monitoring = "\n".join(p.read_text() for p in (STACK.parent / "monitoring").glob("*.tf"))
    assert "api-errors" in monitoring
    costs = (STACK.parent / "costs" / "main.tf").read_text()
    assert 'resource "aws_ce_cost_allocation_tag"' in costs


def test_what_is_installed_is_what_this_suite_runs_in() -> None:
    """The block `install` is .ci/run's: `make dev` begins with `make install`, and dev.txt holds aws.txt's pins."""
    (install,) = [block for block in BLOCKS if block.proven == "ci"]
    assert install.code.splitlines()[0] == "make install"
    assert "make dev" in Path(".ci/run").read_text()
    assert re.search(r"^dev: install ", Path("Makefile").read_text(), re.MULTILINE)
    pins = {
        name: set(re.findall(r"^\S+==\S+", Path("requirements", name).read_text(), re.MULTILINE))
        for name in ("aws.txt", "dev.txt")
    }
    assert pins["aws.txt"] <= pins["dev.txt"]


# The walk


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """Goes through the whole page. A block that fails fails all that follows, and its own test says why."""
    folder = tmp_path_factory.mktemp("deploy")
    with aws_within() as aws, EmbeddedServers(folder / "servers", durable=False) as servers:
        account = Account(aws.url, servers.addresses, folder / "account")
        (folder / "repository").mkdir()
        with ExitStack() as stack, tasks_that_run(account):
            walk = Walk(account, folder / "repository", stack)
            for block in BLOCKS:
                if block.proven and block.proven != "ci":
                    walk.take(block)
                walk.after(block.name)
            yield walk


@needs_tools
def test_all_blocks_were_run(walk: Walk) -> None:
    assert list(walk.printed) == [b.name for b in BLOCKS if b.proven and b.proven != "ci"]


_DIGEST = "sha256:(?!0{64})[0-9a-f]{64}"
_PRINTS = {
    "tools": r"^ok git\n(ok|MISSING) make",
    "values": r"^account 123456789012, environment dev$",
    "bootstrap-plan": r"^Plan: 10 to add, 0 to change, 0 to destroy\.$",
    "bootstrap-state": r"terraform\.tfstate\n(\S+\n){4}",
    "figures": r"^Terraform has been successfully initialized!$",
    "registry-plan": r"^Plan: \d+ to add, 0 to change, 0 to destroy\.$",
    "digests": rf'^api_image     = "\S+/invokeai-api@{_DIGEST}"\nworker_image  = "\S+/invokeai-gpu-worker@{_DIGEST}"$',
    "names": r"^invokeai-dev invokeai-api invokeai-scheduler invokeai-mock-worker http://127",
    "roles": r"\| .*The roles are there",
    "migrate": r"\| .*The database is at head",
    "models": r"(?s)\| .*starter.*: [0-9a-f-]{36}.*\| .*1 models registered",
    "library": r"\| .*\d+ pictures put into the bucket",
    "page": r"The page is in invokeai-saas-123456789012-dev-page",
    "start": r"^invokeai-api\ninvokeai-scheduler\ninvokeai-mock-worker$",
    "health": r'(?s)"version":\s*"6\..*\n200 pricing',
    "staff": r"(?s)\| Password: \S{20,}.*\| Authenticator: otpauth://totp/.*The log migrate/invokeai-m\S+ is removed",
    "mail": r"^EMAIL_ADDRESS\nEMAIL_ADDRESS$",
    "account": r"^begun$",
    "picture": r'"size": \[256, 256\].*"credits": [1-9]',
    "costs": r"dev 8 US dollars a day\nstaging 23 US dollars a day\nproduction 69 US",
    "empty": r"^invokeai-api\ninvokeai-gpu-worker$",
    "unbootstrap-state": r"^0$",
}


@needs_tools
@pytest.mark.parametrize("name", _PRINTS)
def test_it_prints_what_the_page_says(walk: Walk, name: str) -> None:
    assert re.search(_PRINTS[name], walk.printed[name], re.MULTILINE), walk.printed[name]


@needs_tools
def test_secrets_are_filled_and_none_is_shown(walk: Walk) -> None:
    manager, shown = walk.account.client("secretsmanager"), walk.printed["secrets"]
    for name in set(SECRETS) - {"pagerduty-url"}:
        value = manager.get_secret_value(SecretId=f"invokeai/dev/{name}")["SecretString"]
        assert f"set: invokeai/dev/{name}\n" in shown
        assert value not in shown
    key = manager.get_secret_value(SecretId="invokeai/dev/media-signing-key")["SecretString"]
    assert f'{{"Value": "{key}"}}' in (walk.account.folder / "key").read_text()


@needs_tools
def test_the_database_is_the_services(walk: Walk) -> None:
    query = walk.account.query
    assert query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'invokeai%' AND rolsuper") == [(0,)]
    assert query("SELECT tableowner FROM pg_tables WHERE tablename = 'users'") == [("invokeai_owner",)]
    assert query("SELECT email FROM users WHERE role = 'admin'") == [("you@example.com",)]
    assert query("SELECT status, count(*) FROM session_queue GROUP BY 1") == [("completed", 1)]
    assert query("SELECT path FROM models") == [("models/shared/starter/weights",)]


@needs_tools
def test_files_are_where_cloudfront_and_workers_look(walk: Walk) -> None:
    page, files = walk.files_in(f"{BUCKET}-page"), walk.files_in(BUCKET)
    assert "index.html" in page
    assert any(name.startswith("assets/") for name in page)
    assert not any(name.endswith(".gz") for name in page)
    assert any(name.startswith("models/shared/starter/") for name in files)
    assert any(name.startswith("system/") for name in files)


@needs_tools
def test_a_log_that_held_a_password_is_gone(walk: Walk) -> None:
    logs = walk.account.client("logs")
    events = logs.filter_log_events(logGroupName="/ecs/invokeai-migrate")["events"]
    assert events
    assert not any("Password" in event["message"] for event in events)
