"""The infrastructure's code: what can be read off it, and, where Terraform is, that its tests notice a changed figure.

`make infra-check` runs everything; here is what takes seconds.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from invokeai_saas.serving import server_options
from invokeai_saas.settings import Settings

TERRAFORM = Path("infra/terraform")
FOLDERS = sorted(path.parent for path in TERRAFORM.glob("*/*/versions.tf"))
ENVIRONMENTS = ("dev", "staging", "production")

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="SKIPPED: terraform is not installed; nothing of it was checked"
)


@pytest.mark.parametrize("folder", FOLDERS, ids=[str(f.relative_to(TERRAFORM)) for f in FOLDERS])
def test_every_folder_has_its_files_and_tests(folder: Path) -> None:
    for name in ("main.tf", "variables.tf", "outputs.tf", "versions.tf"):
        assert (folder / name).exists(), name
    assert list(folder.glob("tests/*.tftest.hcl"))


@pytest.mark.parametrize("folder", FOLDERS, ids=[str(f.relative_to(TERRAFORM)) for f in FOLDERS])
def test_every_variable_is_typed_described_and_validated(folder: Path) -> None:
    for block in re.split(r"^variable ", (folder / "variables.tf").read_text(), flags=re.M)[1:]:
        name = block.split()[0]
        assert re.search(r"^  type\s+=", block, re.M), name
        assert re.search(r'^  description = "[^"]{8,}', block, re.M), name
        assert "validation {" in block, name
        elsewhere = [path.read_text() for path in folder.glob("*.tf") if path.name != "variables.tf"]
        assert any(re.search(rf"\bvar\.{name.strip(chr(34))}\b", code) for code in elsewhere), (
            f"{name} is unused"
        )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_states_are_remote_encrypted_and_locked(environment: str) -> None:
    backend = (TERRAFORM / "environments" / environment / "versions.tf").read_text()
    for line in (
        f'key          = "{environment}/terraform.tfstate"',
        "encrypt      = true",
        "use_lockfile = true",
    ):
        assert line in backend


def test_nothing_puts_a_secret_into_a_state() -> None:
    code = "\n".join(path.read_text() for path in TERRAFORM.glob("**/*.tf"))
    for kind in (
        "aws_secretsmanager_secret_version",
        "random_password",
        "tls_private_key",
        "aws_iam_access_key",
    ):
        assert f'"{kind}"' not in code
    for argument in ("master_password", "auth_token ", "passwords ", "secret_string"):
        assert not re.search(rf"^\s+{argument}\s*=", code, re.M), argument
    assert "generate_secret               = false" in code


def check(tmp_path: Path, change: tuple[str, str] | None) -> subprocess.CompletedProcess[str]:
    """Runs infra/check on a copy of one module, with one figure changed."""
    root = tmp_path / ("changed" if change else "same")
    module = root / "infra" / "terraform" / "modules" / "queues"
    shutil.copytree(TERRAFORM / "modules" / "queues", module, ignore=shutil.ignore_patterns(".terraform*"))
    shutil.copy("infra/check", root / "infra" / "check")
    if change:
        main = module / "variables.tf"
        text = main.read_text()
        assert text.count(change[0]) == 1
        main.write_text(text.replace(*change))
    return subprocess.run(
        [sys.executable, root / "infra" / "check", "terraform modules"],
        capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip


@needs_terraform
def test_a_changed_figure_is_noticed(tmp_path: Path) -> None:
    same = check(tmp_path, None)
    if "SKIPPED" in same.stdout.partition("\n")[0]:
        pytest.skip(same.stdout)
    assert same.returncode == 0, same.stdout
    changed = check(tmp_path, ("default     = 60", "default     = 61"))
    assert changed.returncode == 1
    assert "Times of the queues." in changed.stdout


def test_a_missing_tool_is_said_and_never_passed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "infra/check", "terraform fmt"],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "skipped: terraform is not installed" in done.stdout
    assert "0 passed" in done.stdout
    assert "WHAT WAS SKIPPED WAS NOT CHECKED" in done.stdout


@needs_terraform
def test_what_a_gpu_machine_runs_at_its_start_is_a_script(tmp_path: Path) -> None:
    """The template is filled by Terraform itself, without any provider."""
    module = (TERRAFORM / "modules" / "gpu-group").resolve()
    given = (
        '{region="r", tier="dedicated", gpus=8, bucket="b", image="/i", registry="g", settings={A="1"},'
        ' secrets={X="invokeai/p/x"}, stop_seconds=105, efs="fs-1", access_point="ap-1",'
        f' watch=file("{module}/watch.sh"), agent="{{}}", log_group="/ec2/x"}}'
    )
    shown = subprocess.run(
        ["terraform", "console", "-no-color"], input=f'templatefile("{module}/user-data.sh.tftpl", {given})',
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    script = "\n".join(shown.stdout.splitlines()[1:-1])
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=120)
    for line in (
        "mount --bind /nvme/models /models",
        "--gpus device=%i",
        "for ((gpu = 0; gpu < 8; gpu++)); do",
    ):
        assert line in script
    assert len(script) < 16_384  # what AWS takes


def test_the_load_balancer_closes_resting_connections_before_the_api_does() -> None:
    """Otherwise it sends a request just as the API closes, and says 502."""
    variables = (TERRAFORM / "modules/load-balancer/variables.tf").read_text()
    longest = re.search(r"var\.idle_seconds <= (\d+)", variables)
    assert longest
    served = server_options(Settings())
    assert int(longest[1]) + 5 <= served["timeout_keep_alive"]
