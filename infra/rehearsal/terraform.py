"""Terraform as a child process, and what it says, as JSON."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
_SECONDS = 1500  # of one command; AWS's provider waits minutes for a database that moto has at once
_AT_ONCE = "-parallelism=30"  # they wait most of the time


class Missing(Exception):
    """Nothing can be rehearsed here; the text says what is missing."""


class Failed(Exception):
    """Terraform did not do what it was asked, and the list does not expect it; the text is Terraform's."""


def _check() -> ModuleType:
    """`infra/check`, which knows how to find Terraform and a mirror of its registry."""
    loader = SourceFileLoader("infra_check", str(ROOT / "infra" / "check"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def program() -> str:
    """Path of Terraform. Raises Missing."""
    check = _check()
    try:
        return str(check.terraform())
    except check.Skipped as why:
        raise Missing(str(why)) from why


def _environment(folder: Path, endpoint: str) -> dict[str, str]:
    """Nothing of the caller's AWS: neither keys nor profiles nor endpoints can lead a rehearsal to a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    return {
        **kept,
        **_check().cli_config(),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "TF_DATA_DIR": str(folder / ".terraform"),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
    }


@dataclass(frozen=True)
class Terraform:
    """One configuration, whose state lies in its folder.

    Args:
        path: of Terraform.
        folder: the root module.
        environment: environment variables of every command.
    """

    path: str
    folder: Path
    environment: dict[str, str]

    @classmethod
    def prepared(cls, folder: Path, endpoint: str) -> Terraform:
        """With modules and provider. Raises Missing without Terraform or provider, Failed."""
        made = cls(program(), folder, _environment(folder, endpoint))
        try:
            made._run("init", "-input=false")
        except Failed as failed:
            if "Failed to query available provider packages" in str(failed):
                missing = "the AWS provider can be had neither from a mirror nor from the registry"
                raise Missing(missing) from failed
            raise
        return made

    def apply(self) -> dict[str, str]:
        """Makes what it can. Returns what could not be made, by address, with AWS's words. Raises Failed."""
        done = self._start("apply", "-auto-approve", "-json", _AT_ONCE)
        refused = dict(_refusals(done.stdout))
        if done.returncode and not refused:
            raise Failed(f"terraform apply\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return refused

    def forget(self, addresses: Iterable[str]) -> None:
        """Takes out of the state what was made but cannot be read: no plan could be made with it. Raises Failed."""
        if unread := sorted(set(addresses) & set(self.held())):
            self._run("state", "rm", *unread)

    def plan(self) -> dict[str, Any]:
        """What would be done now, as `terraform show -json` has it. Raises Failed."""
        self._run("plan", "-input=false", "-out=again.tfplan", _AT_ONCE)
        plan: dict[str, Any] = json.loads(self._run("show", "-json", "again.tfplan"))
        return plan

    def destroy(self) -> list[str]:
        """All that the state has. Returns what went wrong."""
        try:
            self._run("destroy", "-auto-approve", _AT_ONCE)
        except Failed as failed:
            return [str(failed)]
        return []

    def held(self) -> list[str]:
        """Addresses of the state's resources, without what was only read. Raises Failed."""
        listed = self._run("state", "list").splitlines()
        return [address for address in listed if address and not _is_data(address)]

    def _start(self, *words: str) -> subprocess.CompletedProcess[str]:
        command, *options = words
        try:
            return subprocess.run(
                [self.path, command, *(["-no-color"] if command != "state" else []), *options],
                cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise Failed(f"terraform {command} took longer than {_SECONDS} s") from late

    def _run(self, *words: str) -> str:
        done = self._start(*words)
        if done.returncode:
            raise Failed(f"terraform {' '.join(words)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout


def _refusals(printed: str) -> Iterator[tuple[str, str]]:
    """Errors in the lines of `apply -json`, by the resource that they are of."""
    for line in printed.splitlines():
        said = json.loads(line).get("diagnostic", {})
        if said.get("severity") == "error":
            if not said.get("address"):
                raise Failed(f"{said.get('summary')}\n{said.get('detail')}")
            yield said["address"], f"{said.get('summary')} {said.get('detail')}"


def _is_data(address: str) -> bool:
    return address.startswith("data.") or ".data." in address
