"""An operator who goes through docs/deploy.md, block by block, in one shell and in a copy of the repository's folder.

What only an account can do is done beforehand by `Walk.after`: as if AWS had taken what Terraform planned.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from invokeai_saas.embedded.ports import free_port
from tests.infra.deploypage import Block
from tests.infra.standin import BUCKET, CLUSTER, HOST, REGISTRY, SECRETS, STACK, Account, pipeline_variables
from tests.processes import ChildProcess, wait_for

_ROOT = Path.cwd()
_LINKED = (".venv", "models", "requirements")
_SERVICES = ("invokeai-api", "invokeai-scheduler", "invokeai-mock-worker")
# What is typed where a block asks: Stripe's two keys, nothing for PagerDuty.
_TYPED = {"secrets": "sk_test_123\nwhsec_123\n\n"}


def _check() -> ModuleType:
    """infra/check, which knows where the machine has Terraform's provider."""
    loader = SourceFileLoader("check", "infra/check")
    spec = spec_from_loader("check", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


class Walk:
    """Parameters: account: where the commands lead; folder: to work in."""

    def __init__(self, account: Account, folder: Path, stack: ExitStack) -> None:
        self.account, self.folder, self._stack = account, folder, stack
        self.printed: dict[str, str] = {}
        self.port = free_port()
        shutil.copytree("infra", folder / "infra", ignore=shutil.ignore_patterns(".terraform", "__pycache__"))
        for name in _LINKED:
            (folder / name).symlink_to(_ROOT / name)
        git = subprocess.run(
            ["git", "rev-parse", "--absolute-git-dir"], capture_output=True, text=True, check=True
        )
        self.environment = {
            **account.environment(), **_check().cli_config(), "GIT_DIR": git.stdout.strip(), "CHECKPOINT_DISABLE": "1",
            "TF_CLI_ARGS": "-no-color", "PYTHONPATH": str(_ROOT / "src"), "AWS_PAGER": "",
        }  # fmt: skip
        self._after: dict[str, Callable[[], None]] = {
            "bootstrap-plan": self._bootstrapped,
            "registry-plan": self._pushed,
            "scan": self._applied,
            "start": self._started,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, block: Block) -> None:
        """Runs a block's commands as they stand, after those of the blocks before it.

        Raises:
            AssertionError: one of them failed; says what was printed.
        """
        script = f". ./.shell 2>/dev/null || true\nset -euo pipefail\n{block.code}\nexport -p >./.shell\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environment, input=_TYPED.get(block.name, ""),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.name}: {done.returncode}\n{done.stdout}"
        self.printed[block.name] = done.stdout

    def after(self, name: str) -> None:
        """What happens once a block was run, or was passed by."""
        self._after.get(name, lambda: None)()

    def _outputs(self, folder: str, values: dict[str, object]) -> None:
        """Makes a folder's state have these outputs, as after an apply."""
        where = self.folder / "infra" / "terraform" / folder
        shutil.rmtree(where / ".terraform", ignore_errors=True)
        for file in [*where.glob("*.tf"), where / ".terraform.lock.hcl"]:
            file.unlink()
        code = "\n".join(
            f'output "{name}" {{\n  value = {json.dumps(value)}\n}}' for name, value in values.items()
        )
        (where / "main.tf").write_text(code)
        for words in (["init", "-input=false"], ["apply", "-auto-approve", "-input=false"]):
            subprocess.run(
                ["terraform", *words], cwd=where, env=self.environment, capture_output=True, check=True
            )

    def _bootstrapped(self) -> None:
        s3, name = self.account.client("s3"), self.environment_value("STATES")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        zone = self.account.client("route53").create_hosted_zone(
            Name="dev.invokeai.example.com", CallerReference="1"
        )
        servers = zone["DelegationSet"]["NameServers"]
        zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]
        self._outputs("bootstrap", {"zone_id": zone_id, "name_servers": servers, "bucket_name": name})

    def environment_value(self, name: str) -> str:
        """A variable of the shell, as the last block left it."""
        shown = subprocess.run(
            ["bash", "-c", f'. ./.shell; printf %s "${name}"'],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return shown.stdout

    def _pushed(self) -> None:
        ecr, tag = self.account.client("ecr"), self._head()
        for name in ("invokeai-api", "invokeai-gpu-worker"):
            ecr.create_repository(repositoryName=name)
            config = {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "size": 2,
                "digest": f"sha256:{name}",
            }
            kind = "application/vnd.oci.image.manifest.v1+json"
            manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []}
            ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag=tag)

    @staticmethod
    def _head() -> str:
        shown = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        return shown.stdout.strip()

    def _applied(self) -> None:
        account = self.account
        for bucket in (BUCKET, f"{BUCKET}-page"):
            account.client("s3").create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"}
            )
        for name in SECRETS:
            account.client("secretsmanager").create_secret(Name=f"invokeai/dev/{name}")
        account.make_database()
        network = account.register_tasks(_SERVICES)
        self._outputs("environments/dev", self._named(network, account.distribution()))

    def _named(self, network: tuple[str, str], distribution: str) -> dict[str, object]:
        pipeline = dict.fromkeys(pipeline_variables(), "")
        known = {
            "REGISTRY": REGISTRY, "PUBLIC_URL": self.url, "ECS_CLUSTER": CLUSTER, "API_SERVICE": _SERVICES[0],
            "OTHER_SERVICES": " ".join(_SERVICES[1:]), "TASK_SUBNETS": network[0], "TASK_SECURITY_GROUPS": network[1],
            "PAGE_BUCKET": f"{BUCKET}-page", "DISTRIBUTION_ID": distribution, "AWS_REGION": "ap-northeast-2",
        }  # fmt: skip
        assert known.keys() <= pipeline.keys()
        topic = self.account.client("sns").create_topic(Name="critical")["TopicArn"]
        outputs: dict[str, dict[str, str]] = {
            "database": {"endpoint": HOST, "reader_endpoint": HOST},
            "redis": {"endpoint": HOST, "user_group": "invokeai-dev"},
            "edge": {"key_value_store_arn": "arn:aws:cloudfront::123456789012:key-value-store/1"},
            "topics": {"critical": topic},
        }
        text = (STACK / "outputs.tf").read_text()
        for name, keys in outputs.items():
            said = text.partition(f'output "{name}"')[2].partition("\n}")[0]
            assert name == "topics" or all(f"{key} " in said for key in keys), name
        return {"pipeline": pipeline | known, **outputs}

    def _started(self) -> None:
        """API and mock worker with what the steps before have put into Secrets Manager and the database."""
        account = self.account
        for process, words in (("api", ["api"]), ("worker", ["worker", "--engine", "mock"])):
            given = account.variables(process) | account.secrets(process)
            # The keys are no real ones, and nothing here may ask Stripe.
            chosen = {name: value for name, value in given.items() if not name.startswith("STRIPE_")}
            environment = {
                **os.environ, **account.keys(), **chosen, "PORT": str(self.port), "PUBLIC_URL": self.url,
                "HOME": os.environ["HOME"], "S3_ENDPOINT_URL": account.url, "HEARTBEAT_SECONDS": "0.5",
            }  # fmt: skip
            command = [sys.executable, "-m", "invokeai_saas", *words]
            self._stack.enter_context(ChildProcess(command, environment, self.folder / f"{process}.log"))
        wait_for(self.url)

    def files_in(self, bucket: str) -> set[str]:
        """Keys of all objects of a bucket."""
        pages = self.account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {str(entry["Key"]) for page in pages for entry in page.get("Contents", [])}
