"""The rehearsal itself: apply, plan again, compare, destroy, look whether anything is left."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.rehearsal import comparison
from infra.rehearsal.known import Known
from infra.rehearsal.terraform import ROOT, Terraform

HERE = Path(__file__).parent
_WIDTH = 160  # of a refusal in the log
MODULES = ROOT / "infra" / "terraform" / "modules"


@dataclass(frozen=True)
class Rehearsed:
    """What came out.

    Args:
        problems: whatever is not as the list has it; none: all is well.
        rows: of each module: resources, how many of them were made, how many of these would be changed again.
        refused: errors by address.
        changed: what the plan after it would do, by address.
        left: addresses in the state after everything was destroyed.
    """

    problems: list[str] = field(default_factory=list)
    rows: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    changed: dict[str, comparison.Change] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def prepare(folder: Path, modules: Path = MODULES) -> None:
    """Puts the environment into a folder, with a copy of the modules that knows of moto's gaps."""
    for file in (HERE / "environment").glob("*.tf"):
        shutil.copy(file, folder)
    shutil.copytree(modules, folder / "modules", ignore=shutil.ignore_patterns(".terraform*"))
    for told in (HERE / "overrides").glob("*.tf"):
        # Terraform lays a file of this name over the others.
        shutil.copy(told, folder / "modules" / told.stem / "rehearsal_override.tf")


def rehearse(terraform: Terraform, known: Known, say: Callable[[str], None]) -> Rehearsed:
    """Raises Failed: Terraform could not plan; what was applied is then gone with the server."""
    say("applying")
    refused = terraform.apply()
    for address, text in sorted(refused.items()):
        say(f"refused: {comparison.short(address)}: {text[:_WIDTH]}")
    say("planning again")
    terraform.forget(refused)
    plan = terraform.plan()
    changed = comparison.changes(plan)
    rows = counted(plan, changed)
    said = {comparison.short(address): text for address, text in refused.items()}
    problems = comparison.unexpected(said, changed, known)
    problems += degrees(rows, known)
    say("destroying")
    problems += _destroyed(terraform, known)
    left = terraform.held()
    problems += [f"not destroyed: {address}" for address in left]
    return Rehearsed(problems, rows, said, changed, left)


def _destroyed(terraform: Terraform, known: Known) -> list[str]:
    """Destroys all; where the list says that moto cannot delete something, all but that, once it has been tried."""
    problems = terraform.destroy()
    held = terraform.held()
    patterns = [pattern for one in known.kept for pattern in one.resources]
    kept = [address for address in held if any(p.fits(comparison.short(address)) for p in patterns)]
    if kept:
        terraform.forget(kept)
        problems = terraform.destroy()
    for pattern in patterns:
        if not any(pattern.fits(comparison.short(address)) for address in kept):
            problems.append(f"on the list as kept by moto, and was destroyed: {pattern.text}")
    return problems


def counted(plan: dict[str, Any], changed: dict[str, comparison.Change]) -> dict[str, tuple[int, int, int]]:
    """By folder of modules: resources, how many of them were made, how many of these would be changed again."""
    all_of: Counter[str] = Counter()
    not_made: Counter[str] = Counter()
    differing: Counter[str] = Counter()
    for resource in plan.get("resource_changes", []):
        if resource["mode"] != "managed":
            continue
        module = _folder_of(plan, resource.get("module_address", ""))
        all_of[module] += 1
        if change := changed.get(comparison.short(resource["address"])):
            (not_made if change.action == "create" else differing)[module] += 1
    return {
        module: (count, count - not_made[module], differing[module])
        for module, count in sorted(all_of.items())
        if module
    }


def _folder_of(plan: dict[str, Any], address: str) -> str:
    """The folder of a module that an address such as `module.stack.module.gpu["basic"]` is of."""
    calls = plan["configuration"]["root_module"].get("module_calls", {})
    source = ""
    for name in _names(address):
        source = calls[name]["source"]
        calls = calls[name]["module"].get("module_calls", {})
    return source.rpartition("/")[2]


def _names(address: str) -> list[str]:
    return [part.partition("[")[0].rstrip(".") for part in address.split("module.")[1:] if part]


def degrees(rows: dict[str, tuple[int, int, int]], known: Known) -> list[str]:
    """Where modules were served otherwise, as a whole, in part or not at all, than the list says."""
    seen = {
        module: "whole" if made == count else "part" if made else "none"
        for module, (count, made, _) in rows.items()
    }
    return [
        f"{module}: the list says {known.modules.get(module)!r}, and it was {seen.get(module)!r}"
        for module in sorted(seen.keys() | known.modules.keys())
        if seen.get(module) != known.modules.get(module)
    ]
